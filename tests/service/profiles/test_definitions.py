"""What profiles are made by: files that are not there, damaged, or do not fit, are refused by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.profiles.made_up import made_up

from recocore.errors import CorruptError, InvalidArgumentError, NotFoundError
from recocore.profiles.lifetime import LifetimeModels
from recocore.service.profiles.config import ProfilesConfig
from recocore.service.profiles.definitions import Definitions

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def models(tmp_path: Path) -> Path:
    LifetimeModels.fit(made_up(200)).save(tmp_path / "models")
    return tmp_path / "models"


def test_models_are_read_and_their_features_can_be_ruled_by(models: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('[[segments]]\nname = "leaving"\nwhen = "p_alive_mbg < 0.3 and clv > 5000"\n')
    read = Definitions.load(ProfilesConfig(models=str(models), segment_rules=str(rules)))
    assert read.models is not None
    assert read.models.purchases.params_ == LifetimeModels.load(models).purchases.params_
    with pytest.raises(InvalidArgumentError, match="p_alive_mbg"):
        Definitions.load(ProfilesConfig(segment_rules=str(rules)))


def test_models_that_are_not_there_are_named(models: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"nowhere: expected purchase models.*profiles build --models"):
        Definitions.load(ProfilesConfig(models=str(tmp_path / "nowhere")))
    (models / "models.json").unlink()
    with pytest.raises(NotFoundError, match=r"models\.json is not there"):
        Definitions.load(ProfilesConfig(models=str(models)))


def test_a_damaged_model_is_refused(models: Path) -> None:
    file = models / "models.json"
    file.write_text(file.read_text().replace('"customers": ', '"customers": 1', 1))
    with pytest.raises(CorruptError, match=r"models\.json"):
        Definitions.load(ProfilesConfig(models=str(models)))
