"""What LocalStack needs to run without Docker and without a download: functions as processes, and a DynamoDB.

LocalStack finds both by the entry points in the directory beside this one, when the directory above is on its path.
"""
