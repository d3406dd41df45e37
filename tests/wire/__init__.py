"""Parts of deploykit at the wire, against the simulator: what they ask AWS, and what they make of its answers."""
