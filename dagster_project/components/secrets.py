"""The names that secrets and personal data go by.

Belongs here: the one list, which a drafted contract follows (`scaffold/`) and every contract is held against. Does not belong here: what
becomes of such a column. A name only hints: what a person knows to be secret stays out of a contract whatever it is called.
"""

import re

_SECRET = re.compile(
    r"password|passwd|passphrase|secret|token|api_?key|access_?key|auth_?key|key_hash|credential|private_?key|webhook|config_value"
    r"|e_?mail|phone|user_ip|ip_address|session_id|session_?key|birth|passport|card_number|tax_id"
    r"|(^|_)(pwd|pin|otp|salt|cvv|cvc|ssn|iban)(_|$)"
)

# What only says something about a secret, and numbers of tokens in the sense of language models.
_HARMLESS = re.compile(r"^(is|has)_|_(count|at)$|(^|_)(prompt|completion|input|output|cached|reasoning|total|max|num|n)_tokens?$")


def is_secret_name(column: str) -> bool:
    """Whether a column's name, in snake case, says that its values are secret or personal."""
    return bool(_SECRET.search(column)) and not _HARMLESS.search(column)
