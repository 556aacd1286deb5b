"""Where things are kept: DynamoDB, S3, SQS and Secrets Manager, each behind its port."""
