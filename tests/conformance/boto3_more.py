"""later"""
CLIENT = "boto3"
