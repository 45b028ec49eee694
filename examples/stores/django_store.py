"""A vault in a row of a Django model: one `UPDATE … WHERE` decides who was first.

The model is in your application, with a migration of its own:

    class StoredVault(models.Model):
        name = models.CharField(max_length=100, primary_key=True)
        data = models.BinaryField()
        version = models.BigIntegerField(default=1)
"""

from __future__ import annotations

from typing import Any


class ModelPlace:
    """The row *name* of *model* as the place of a `SimpleStore`."""

    def __init__(self, model: Any, name: str) -> None:
        self._model = model
        self._name = name

    def load(self) -> bytes | None:
        """What is there."""
        return self._row()[0]

    def save(self, data: bytes, *, if_unchanged: bytes | None) -> bool:
        """Save, if nobody else has."""
        from django.db import IntegrityError, transaction  # pyright: ignore[reportMissingImports]

        found, version = self._row()
        if found != if_unchanged:
            return False
        if version:
            rows = self._model.objects.filter(name=self._name, version=version)
            return bool(rows.update(data=data, version=version + 1))
        try:
            with transaction.atomic():
                self._model.objects.create(name=self._name, data=data, version=1)
        except IntegrityError:
            return False
        return True

    def _row(self) -> tuple[bytes | None, int]:
        from django.db import Error  # pyright: ignore[reportMissingImports]

        try:
            row = self._model.objects.filter(name=self._name).first()
        except Error as error:
            raise OSError(f"the database: {type(error).__name__}") from error
        return (None, 0) if row is None else (bytes(row.data) or None, row.version)
