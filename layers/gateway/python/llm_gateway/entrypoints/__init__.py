"""The doors: HTTP, AWS Lambda, SQS and the command line."""
