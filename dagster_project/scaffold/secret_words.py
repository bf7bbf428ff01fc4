"""The one list of words that secrets and personal data go by.

Belongs here: words and phrases, with what they hint at. Does not belong here: how a name is held against them (`secrets`). All words are
lower case and singular. A phrase is one word or several; `a|b c` stands for the two phrases `a c` and `b c`.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

Phrase = tuple[str, ...]


class Kind(StrEnum):
    """What the values of a column are, as far as it matters: no integer is a password, and no date a telephone number."""

    TEXT = "text"
    JSON = "json"
    UUID = "uuid"
    NUMBER = "number"
    TIME = "time"
    BOOLEAN = "boolean"


@dataclass(frozen=True)
class Group:
    """Phrases that hint at the same.

    Attributes:
        hint: What a column of this name is, for the sentence that says why it is left out.
        kinds: What its values can be; a column of another kind is something else.
        is_certain: Whether such a column is left out without asking.
        phrases: See above.
    """

    hint: str
    kinds: frozenset[Kind]
    is_certain: bool
    phrases: tuple[Phrase, ...]


def _phrases(text: str) -> tuple[Phrase, ...]:
    alternatives = ([word.split("|") for word in line.split()] for line in text.strip().splitlines())
    return tuple(phrase for words in alternatives for phrase in itertools.product(*words))


def _listed(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WRITTEN = frozenset({Kind.TEXT, Kind.JSON})
_NUMBERED = _WRITTEN | {Kind.NUMBER}
_KEYS = _WRITTEN | {Kind.UUID}

GROUPS = (
    Group(
        "the name of a secret",
        _KEYS,
        True,
        _phrases("""
        password|passwd|passphrase|passcode|passwort|pwd|pw|pass
        secret|token|jwt|bearer|cookie|authorization|credential|dsn|hmac|salt|signature|webhook|encrypted|secure
        api|access|account|auth|client|encryption|hmac|host|license|master|private|secret|service|session|shared|signing|ssh|tls key
        key hash
        conn|connection string|str|uri|url
        sqlalchemy|sql|alchemy|database|db|jdbc|odbc|broker|redis|postgres|postgresql|mysql|mongo|mongodb|amqp|smtp uri|url|dsn|conn|string
        recovery|backup|verification|reset|invitation|activation|confirmation|registration|auth|authorization code|hash
        security answer
        session data
    """),
    ),
    Group(
        "the name of a secret code",
        _NUMBERED,
        True,
        _phrases("""
        pin|otp|totp|hotp|cvv|cvc
    """),
    ),
    Group(
        "the name of personal data",
        _WRITTEN,
        True,
        _phrases("""
        email|iban|surname|birthname|birthplace
        e mail
        mail address
        email id
        first|last|middle|given|family|full|maiden|birth|legal name
        street
        address line
        street|home|postal|mailing|residential|delivery|billing|shipping address
        contact info|information|detail
        place|city of birth
        birth place|city
        ip|license plate
        user preference
    """),
    ),
    Group(
        "the name of personal data",
        _NUMBERED,
        True,
        _phrases("""
        phone|telephone|cellphone|fax|msisdn|ssn|passport|ip
        mobile|cell number|phone
        national|personal|citizen|tax|passport|voter id
        national insurance
        social security
        card|passport|tax number
        driver|driving license
        ip address
        remote addr
    """),
    ),
    Group(
        "the name of a date of birth",
        _NUMBERED | {Kind.TIME},
        True,
        _phrases("""
        dob|birth|birthday|birthdate|born
        date|day|year of birth
        birth date|day|year
        born at|on
    """),
    ),
    Group("it may be a PIN, or a postal code", _NUMBERED, False, _phrases("pin code")),
    Group(
        "it may be a bank account, or a number in the books",
        _NUMBERED,
        False,
        _phrases("""
        account number
        bank account
        credit card
    """),
    ),
    Group("it may open a session", _KEYS, False, _phrases("session id")),
    Group(
        "it may open something",
        _KEYS,
        False,
        _phrases("""
        auth|nonce|otc
        environment|env variable|var
        request|http header
    """),
    ),
    Group("it may be where somebody lives, or how to reach somebody", _WRITTEN, False, _phrases("address|mail|mobile")),
)

# Where words above mean something else: tokens of language models, signatures of functions, keys of tables, addresses of memory.
HARMLESS = _phrases("""
    prompt|completion|input|output|cached|reasoning|thinking|total|max|min|num|n token
    audio|image|text|eos|bos|pad|padding|unk|mask|sep|cls|stop|special|start|end|first|last|next|new token
    function|method|model|schema|dataset|type signature
    foreign|primary|partition|sort|public|idempotency|cache|routing key
    memory|base|contract|wallet address
    birth rate|weight|order
    first|last pass
""")

# After a phrase, these words leave it what it is: a password's hash is as secret as the password.
KEEPING = _listed("""
    hash hashed salt digest md sha hex base pem encrypted enc cipher ciphertext raw plain bytes blob data value val string str json
    array list number num no nr code key seed header url uri address line field old new current previous primary secondary backup main
    home work mobile private personal business date year place
""")

# These words, at the end of a name, make it something about the secret: when it expires, how many there are, which kind it is.
TELLING = _listed("""
    id uuid guid pk type kind model count cnt rate status state length len size limit quota usage used index idx name label title
    template format version provider policy algorithm algo method scheme level mode class category group enabled disabled verified
    confirmed required valid expired revoked sent opened bounced promotion at on by time timestamp expires expiry expiration ttl
    lifetime duration created updated changed attempt failure strength score cost price budget ratio share total sum avg average min
    max mean position offset rank subject domain country region brand vendor carrier manufacturer platform frequency schedule queue
    batch step window flag
""")

# A name that begins so is a question or a number.
ASKING = _listed("is has was can needs num n")

# No other word ends in these, so that they are found in `stripetoken` too.
UNMISTAKABLE = _listed("password passwd passphrase pwd secret token credential email")

# Names that say nothing of their own: `key` in a table of API keys is an API key.
GENERIC = _listed("key value val hash number data content code address url uri line")

# Tables of people, in which a name is that of somebody. Or of a firm: a person decides.
PEOPLE = _listed("person people user customer employee contact patient member student subscriber author")

# Key/value stores. In a compound name the last word says what a table is: `feature_settings` are settings, `config_tags` are tags.
# Settings hold passwords of other systems sooner or later, whatever their keys are called.
KEY_COLUMNS = _listed("key name param parameter variable setting option property")
VALUE_COLUMNS = _listed("value val")
VALUE_PARTS = VALUE_COLUMNS | _listed("json text string data content blob payload")
SETTINGS = _listed("variable config configuration conf setting secret credential vault env environment")
# What runs and models are described by: here the values are the very data that is analysed.
DATA = _listed("param parameter hyperparameter tag metric attribute feature label score statistic measurement dimension annotation")

# Tables of connections to other systems, known by their name, or by having a password and a place.
CONNECTIONS = _phrases("""
    connection|conn|datasource
    data source
""")
CONNECTION_COLUMNS = _phrases("""
    login|username|user|host|hostname|server|uri|url|extra|option|parameter
    user name
""")
CONNECTION_PLACES = _listed("host hostname server uri")

# Values in which anything may stand, secrets too. They are read: most of them are what people want to see.
FREE_TEXT = _listed("description comment note remark message memo bio feedback extra payload conf body")
FREE_JSON = _listed("""
    extra payload conf body data value preference option property header request response context env environment argument kwarg
""")


def _words() -> Iterator[str]:
    for group in GROUPS:
        yield from itertools.chain.from_iterable(group.phrases)
    yield from itertools.chain.from_iterable((*HARMLESS, *CONNECTIONS, *CONNECTION_COLUMNS))
    for words in (KEEPING, TELLING, ASKING, UNMISTAKABLE, GENERIC, PEOPLE, KEY_COLUMNS, VALUE_PARTS, SETTINGS, DATA):
        yield from words
    yield from (*FREE_TEXT, *FREE_JSON)


# Every word that this list knows; names that are written without any separator are made of them.
VOCABULARY = frozenset(_words())
