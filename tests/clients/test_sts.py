"""The Security Token Service: whose a key is."""

from everstep_server import EverstepServer


def test_operator_is_the_account(server: EverstepServer):
    """AWS's own client reads the answer."""
    identity = server.client(service="sts").get_caller_identity()
    assert identity["Arn"] == f"arn:aws:iam::{identity['Account']}:root"
