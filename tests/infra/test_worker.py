"""Queues and what they feed."""

from llm_gateway.endpoints import WORKERS

from tests.infra.deployments import deployed


def queues():
    found = deployed().data.of_type("AWS::SQS::Queue")
    return {id_[:-8]: queue["Properties"] for id_, queue in found.items()}


def test_a_message_stays_hidden_until_six_workers_would_have_ended():
    longest_s = max(row.timeout_s for row in WORKERS)
    for name in ("NormalQueue", "HighQueue"):
        assert 6 * longest_s <= queues()[name]["VisibilityTimeout"] <= 12 * 3600


def test_what_fails_again_and_again_is_kept_aside():
    for name in ("NormalQueue", "HighQueue"):
        policy = queues()[name]["RedrivePolicy"]
        assert policy["maxReceiveCount"] == 5
        assert policy["deadLetterTargetArn"]["Fn::GetAtt"][0].startswith("DeadLetterQueue")
    assert queues()["DeadLetterQueue"]["MessageRetentionPeriod"] == 14 * 24 * 3600


def test_both_queues_feed_the_worker_and_one_failure_spoils_no_batch():
    (row,) = WORKERS
    sources = deployed().worker.properties("AWS::Lambda::EventSourceMapping")
    assert ["High" in str(source["EventSourceArn"]) for source in sources] == [True, False]
    for source in sources:
        assert source["BatchSize"] == row.batch_size
        assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert source["ScalingConfig"] == {"MaximumConcurrency": row.max_concurrency}
