"""The real time series that ship inside the statsmodels package as csv files.

Belongs here: which series there are and how each is read out of its file. Does not belong here: forecasting them (`backtest`) and writing
them to a database (`datasets`). Nothing is downloaded, filled in or smoothed: a value that a file lacks stays missing.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path

import pandas as pd

from dagster_project.errors import RunmartError


class UnknownNameError(RunmartError):
    """A series or method was asked for that does not exist; the message names it and those that do."""


@dataclass(frozen=True)
class SourceFile:
    """A csv file of the statsmodels package.

    Attributes:
        name: Path inside `statsmodels/datasets`.
        description: What the file holds.
    """

    name: str
    description: str

    @property
    def path(self) -> Path:
        """Where the installed file is."""
        return Path(str(files("statsmodels.datasets") / self.name))

    def read(self) -> pd.DataFrame:
        """The file as it is, one column per csv column."""
        return pd.read_csv(self.path)


@dataclass(frozen=True)
class Series:
    """One real series.

    Attributes:
        unique_id: Its name, the same in every table and file.
        description: What was measured, and its unit.
        source: The file that it comes from.
        frequency: `MS`, `QS` or `YS`: observations are stamped with the first day of their month, quarter or year.
        season_length: Observations per season; 1 where there is none.
        extract: Takes the values, indexed by time, out of the file's frame.
    """

    unique_id: str
    description: str
    source: SourceFile
    frequency: str
    season_length: int
    extract: Callable[[pd.DataFrame], pd.Series]

    @cached_property
    def values(self) -> pd.Series:
        """All observations as floats, indexed by timestamp; missing ones are NaN."""
        values = self.extract(self.source.read()).astype("float64").rename(self.unique_id)
        index = pd.DatetimeIndex(values.index).as_unit("us").rename("ds")
        return values.set_axis(index)


def _co2(frame: pd.DataFrame) -> pd.Series:
    weekly = frame["co2"].set_axis(pd.to_datetime(frame["date"].astype(str), format="%Y%m%d"))
    return weekly.resample("MS").mean()


def _el_nino(frame: pd.DataFrame) -> pd.Series:
    months = frame.melt(id_vars="YEAR", var_name="month", value_name="temperature")
    times = pd.to_datetime(months["YEAR"].astype(str) + months["month"], format="%Y%b")
    return months["temperature"].set_axis(times).sort_index()


def _electrical_equipment(frame: pd.DataFrame) -> pd.Series:
    return frame.iloc[:, 1].set_axis(pd.to_datetime(frame["DATE"], format="%b-%d-%Y"))


def _macro(column: str) -> Callable[[pd.DataFrame], pd.Series]:
    def extract(frame: pd.DataFrame) -> pd.Series:
        first_months = frame["quarter"].astype(int) * 3 - 2
        times = pd.to_datetime({"year": frame["year"].astype(int), "month": first_months, "day": 1})
        return frame[column].set_axis(times)

    return extract


def _yearly(year: str, column: str) -> Callable[[pd.DataFrame], pd.Series]:
    def extract(frame: pd.DataFrame) -> pd.Series:
        return frame[column].set_axis(pd.to_datetime(frame[year].astype(int).astype(str), format="%Y"))

    return extract


_CO2 = SourceFile("co2/co2.csv", "Weekly atmospheric carbon dioxide at Mauna Loa, 1958 to 2001.")
_EL_NINO = SourceFile("elnino/elnino.csv", "Monthly sea surface temperature of the Nino 1+2 region, one row per year, 1950 to 2010.")
_EQUIPMENT = SourceFile("elec_equip/elec_equip.csv", "Monthly turnover index of electrical equipment in the Euro area, 1995 to 2016.")
_MACRO = SourceFile("macrodata/macrodata.csv", "Quarterly macroeconomic data of the United States, 1959 to 2009.")
_NILE = SourceFile("nile/nile.csv", "Yearly flow of the Nile at Aswan, 1871 to 1970.")
_SUNSPOTS = SourceFile("sunspots/sunspots.csv", "Yearly mean sunspot number, 1700 to 2008.")

CATALOG: tuple[Series, ...] = (
    Series("co2", "Carbon dioxide in the air, mean of the weeks of a month (ppm).", _CO2, "MS", 12, _co2),
    Series("el_nino", "Sea surface temperature (degrees Celsius).", _EL_NINO, "MS", 12, _el_nino),
    Series("electrical_equipment", "Turnover index of electrical equipment (2010 = 100).", _EQUIPMENT, "MS", 12, _electrical_equipment),
    Series("real_gdp", "Gross domestic product (billions of 2005 US dollars).", _MACRO, "QS", 4, _macro("realgdp")),
    Series("real_consumption", "Personal consumption (billions of 2005 US dollars).", _MACRO, "QS", 4, _macro("realcons")),
    Series("real_investment", "Private domestic investment (billions of 2005 US dollars).", _MACRO, "QS", 4, _macro("realinv")),
    Series("nile", "Flow of the Nile at Aswan (100 million cubic metres).", _NILE, "YS", 1, _yearly("year", "volume")),
    Series("sunspots", "Mean sunspot number.", _SUNSPOTS, "YS", 1, _yearly("YEAR", "SUNACTIVITY")),
)


def selected(names: Collection[str] | None) -> tuple[Series, ...]:
    """The series of the catalog with these names, all of them for None, in the catalog's order.

    Raises:
        UnknownNameError: There is no series of such a name.
    """
    known = [series.unique_id for series in CATALOG]
    unknown = sorted(set(names or ()) - set(known))
    if unknown:
        raise UnknownNameError(f"no series named {', '.join(unknown)}; choose from {', '.join(known)}")
    return tuple(series for series in CATALOG if names is None or series.unique_id in names)
