"""Large bodies in S3, encrypted under the bucket's key; its lifecycle rule deletes what nobody erased."""

from botocore.exceptions import ClientError

from llm_gateway.stores.connection import Aws, error_code, reaching

_MISSING = "NoSuchKey"


class S3BodyStore:
    def __init__(self, *, aws: Aws, bucket: str) -> None:
        self._aws = aws
        self._bucket = bucket

    def put(self, key: str, body: bytes) -> None:
        with reaching("bodies"):
            self._aws.s3.put_object(Bucket=self._bucket, Key=key, Body=body)

    def get(self, key: str) -> bytes | None:
        with reaching("bodies"):
            try:
                return self._aws.s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
            except ClientError as fault:
                if error_code(fault) == _MISSING:
                    return None
                raise

    def delete(self, key: str) -> None:
        with reaching("bodies"):
            self._aws.s3.delete_object(Bucket=self._bucket, Key=key)
