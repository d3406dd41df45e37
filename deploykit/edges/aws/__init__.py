"""AWS as functions, each with the page of AWS's documentation; the only callers of boto3 outside the sandbox.

They raise what ``Aws.call`` raises (NotAllowed, Throttled, AwsUnreachable, AwsRefused); their docstrings name the rest.
"""
