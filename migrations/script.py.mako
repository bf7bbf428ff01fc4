"""${message}."""

${"from alembic import op"}
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    """Say here what it brings."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """Say here what it takes away, and what happens to the rows."""
    ${downgrades if downgrades else "pass"}
