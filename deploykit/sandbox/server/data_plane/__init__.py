"""The path of a user's request: the CDN's edge and its cache, the load balancer, a healthy target."""
