"""Index the data set that a model was trained on: deleting a data set would read all models."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Index the rows that refer to one."""
    op.execute("CREATE INDEX idx_models_training_dataset ON models (training_dataset_id) WHERE training_dataset_id IS NOT NULL")


def downgrade() -> None:
    """Drop the index."""
    op.execute("DROP INDEX idx_models_training_dataset")
