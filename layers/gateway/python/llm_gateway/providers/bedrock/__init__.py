"""Amazon Bedrock's Converse API: the models of the AWS account that the gateway runs in, asked by the function's own role."""
