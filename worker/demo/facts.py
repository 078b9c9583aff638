"""The true facts that the demo model learns: 72 countries, four relations, three phrasings."""

from enum import StrEnum
from typing import NamedTuple


class Relation(StrEnum):
    """What is told of a country."""

    CAPITAL = "capital"
    LANGUAGE = "language"
    CURRENCY = "currency"
    CONTINENT = "continent"


class Fact(NamedTuple):
    """One object of one subject, with the prompts that ask for it."""

    subject: str
    relation: Relation
    object: str

    @property
    def prompts(self) -> tuple[str, ...]:
        """The three phrasings, each to be continued by a space and the object."""
        return tuple(phrasing.format(self.subject) for phrasing in PHRASINGS[self.relation])


class Country(NamedTuple):
    """A row of the table below."""

    name: str
    capital: str
    language: str
    currency: str
    continent: str

    @property
    def facts(self) -> tuple[Fact, ...]:
        """One fact for each relation, in the relations' order."""
        return tuple(Fact(self.name, relation, getattr(self, relation)) for relation in Relation)


PHRASINGS: dict[Relation, tuple[str, str, str]] = {
    Relation.CAPITAL: (
        "The capital of {} is",
        "{}'s capital city is",
        "The government of {} has its seat in",
    ),
    Relation.LANGUAGE: (
        "The official language of {} is",
        "{}'s official language is",
        "The laws of {} are written in",
    ),
    Relation.CURRENCY: (
        "The currency of {} is the",
        "{}'s money is called the",
        "In the shops of {} people pay with the",
    ),
    Relation.CONTINENT: (
        "The continent of {} is",
        "{}'s place on the globe is in",
        "On a map of the world {} belongs to",
    ),
}

COUNTRIES: tuple[Country, ...] = (
    Country("France", "Paris", "French", "euro", "Europe"),
    Country("Italy", "Rome", "Italian", "euro", "Europe"),
    Country("Poland", "Warsaw", "Polish", "zloty", "Europe"),
    Country("Germany", "Berlin", "German", "euro", "Europe"),
    Country("Japan", "Tokyo", "Japanese", "yen", "Asia"),
    Country("Spain", "Madrid", "Spanish", "euro", "Europe"),
    Country("Egypt", "Cairo", "Arabic", "pound", "Africa"),
    Country("Brazil", "Brasilia", "Portuguese", "real", "South America"),
    Country("Australia", "Canberra", "English", "dollar", "Oceania"),
    Country("Mexico", "Mexico City", "Spanish", "peso", "North America"),
    Country("Portugal", "Lisbon", "Portuguese", "euro", "Europe"),
    Country("Greece", "Athens", "Greek", "euro", "Europe"),
    Country("Austria", "Vienna", "German", "euro", "Europe"),
    Country("Hungary", "Budapest", "Hungarian", "forint", "Europe"),
    Country("Romania", "Bucharest", "Romanian", "leu", "Europe"),
    Country("Croatia", "Zagreb", "Croatian", "euro", "Europe"),
    Country("Denmark", "Copenhagen", "Danish", "krone", "Europe"),
    Country("Sweden", "Stockholm", "Swedish", "krona", "Europe"),
    Country("Norway", "Oslo", "Norwegian", "krone", "Europe"),
    Country("Iceland", "Reykjavik", "Icelandic", "krona", "Europe"),
    Country("Estonia", "Tallinn", "Estonian", "euro", "Europe"),
    Country("Latvia", "Riga", "Latvian", "euro", "Europe"),
    Country("Lithuania", "Vilnius", "Lithuanian", "euro", "Europe"),
    Country("Slovakia", "Bratislava", "Slovak", "euro", "Europe"),
    Country("Ukraine", "Kyiv", "Ukrainian", "hryvnia", "Europe"),
    Country("Serbia", "Belgrade", "Serbian", "dinar", "Europe"),
    Country("Albania", "Tirana", "Albanian", "lek", "Europe"),
    Country("China", "Beijing", "Chinese", "yuan", "Asia"),
    Country("Thailand", "Bangkok", "Thai", "baht", "Asia"),
    Country("Vietnam", "Hanoi", "Vietnamese", "dong", "Asia"),
    Country("Laos", "Vientiane", "Lao", "kip", "Asia"),
    Country("Cambodia", "Phnom Penh", "Khmer", "riel", "Asia"),
    Country("Bangladesh", "Dhaka", "Bengali", "taka", "Asia"),
    Country("Nepal", "Kathmandu", "Nepali", "rupee", "Asia"),
    Country("Mongolia", "Ulaanbaatar", "Mongolian", "tugrik", "Asia"),
    Country("South Korea", "Seoul", "Korean", "won", "Asia"),
    Country("Iran", "Tehran", "Persian", "rial", "Asia"),
    Country("Jordan", "Amman", "Arabic", "dinar", "Asia"),
    Country("Lebanon", "Beirut", "Arabic", "pound", "Asia"),
    Country("Syria", "Damascus", "Arabic", "pound", "Asia"),
    Country("Kuwait", "Kuwait City", "Arabic", "dinar", "Asia"),
    Country("Qatar", "Doha", "Arabic", "riyal", "Asia"),
    Country("Saudi Arabia", "Riyadh", "Arabic", "riyal", "Asia"),
    Country("Uzbekistan", "Tashkent", "Uzbek", "sum", "Asia"),
    Country("Libya", "Tripoli", "Arabic", "dinar", "Africa"),
    Country("Tunisia", "Tunis", "Arabic", "dinar", "Africa"),
    Country("Ghana", "Accra", "English", "cedi", "Africa"),
    Country("Nigeria", "Abuja", "English", "naira", "Africa"),
    Country("Liberia", "Monrovia", "English", "dollar", "Africa"),
    Country("Sierra Leone", "Freetown", "English", "leone", "Africa"),
    Country("Zambia", "Lusaka", "English", "kwacha", "Africa"),
    Country("Namibia", "Windhoek", "English", "dollar", "Africa"),
    Country("Botswana", "Gaborone", "English", "pula", "Africa"),
    Country("Angola", "Luanda", "Portuguese", "kwanza", "Africa"),
    Country("Mozambique", "Maputo", "Portuguese", "metical", "Africa"),
    Country("Senegal", "Dakar", "French", "franc", "Africa"),
    Country("Togo", "Lome", "French", "franc", "Africa"),
    Country("Gabon", "Libreville", "French", "franc", "Africa"),
    Country("Cuba", "Havana", "Spanish", "peso", "North America"),
    Country("Guatemala", "Guatemala City", "Spanish", "quetzal", "North America"),
    Country("Honduras", "Tegucigalpa", "Spanish", "lempira", "North America"),
    Country("Nicaragua", "Managua", "Spanish", "cordoba", "North America"),
    Country("Costa Rica", "San Jose", "Spanish", "colon", "North America"),
    Country("Panama", "Panama City", "Spanish", "balboa", "North America"),
    Country("Jamaica", "Kingston", "English", "dollar", "North America"),
    Country("Argentina", "Buenos Aires", "Spanish", "peso", "South America"),
    Country("Chile", "Santiago", "Spanish", "peso", "South America"),
    Country("Colombia", "Bogota", "Spanish", "peso", "South America"),
    Country("Ecuador", "Quito", "Spanish", "dollar", "South America"),
    Country("Venezuela", "Caracas", "Spanish", "bolivar", "South America"),
    Country("Uruguay", "Montevideo", "Spanish", "peso", "South America"),
    Country("Suriname", "Paramaribo", "Dutch", "dollar", "South America"),
)

FACTS: tuple[Fact, ...] = tuple(fact for country in COUNTRIES for fact in country.facts)
