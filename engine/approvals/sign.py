"""Signing a vote."""

from __future__ import annotations

import json
from typing import cast

from engine.approvals.keys import ApproverSigner
from engine.approvals.statement import PAYLOAD_TYPE, ApprovalStatement
from engine.dsse.envelope import seal
from engine.model.base import Json


def sign(statement: ApprovalStatement, key: ApproverSigner) -> dict[str, Json]:
    """The DSSE envelope with the statement and one signature, as the updates take it.

    https://github.com/secure-systems-lab/dsse/blob/master/envelope.md
    """
    sealed = seal(statement.canonical(), PAYLOAD_TYPE, key.signer)
    return cast("dict[str, Json]", json.loads(sealed))
