"""The text that the shipped tokenizer is trained on: sentences in the manner of the four tasks, built from tables."""

from collections.abc import Iterator
from itertools import product

ENTITIES = {  # kind of image -> (what is asked about, where it stands)
    "chart": (
        ("value", "share", "average", "total", "difference", "growth rate", "maximum", "minimum", "median", "ratio"),
        ("bar", "line", "legend", "axis", "category", "year", "country", "segment", "percentage", "survey"),
    ),
    "document": (
        ("date", "name", "address", "invoice number", "amount", "signature", "account", "department", "title", "phone"),
        ("page", "form", "letter", "table", "header", "footer", "report", "receipt", "paragraph", "column"),
    ),
    "figure": (
        ("angle", "length", "area", "radius", "perimeter", "height", "distance", "slope", "volume", "diameter"),
        ("triangle", "circle", "square", "rectangle", "parallel lines", "polygon", "diagram", "point", "side", "graph"),
    ),
    "photograph": (
        ("colour", "number of objects", "shape", "size", "position", "direction", "time of day", "weather", "texture"),
        ("picture", "photo", "foreground", "background", "left side", "right side", "sky", "lake", "forest"),
    ),
}
VOCABULARY = {  # topic -> words that such images and questions are full of
    "calendar": "January February March April May June July August September October November December Monday Tuesday "
    "Wednesday Thursday Friday Saturday Sunday spring summer autumn winter quarter month week morning evening night",
    "places": "Africa America Asia Europe Germany France Italy Spain India China Japan Brazil Canada Mexico Kenya "
    "Norway Sweden Finland Poland Portugal Chile Egypt Turkey Australia London Paris Berlin city region world state",
    "business": "revenue sales profit cost price budget customer supplier order delivery payment balance quantity "
    "subtotal discount tax employee manager office company market product service contract insurance quarterly",
    "energy": "coal gas oil solar wind water nuclear hydro electricity power fuel emissions carbon consumption "
    "production capacity temperature pressure climate energy heat storage battery supply demand",
    "society": "population age education school student teacher health hospital patient income employment household "
    "women men children adults users internet television music sport travel tourism transport vehicle",
    "science": "cell membrane molecule reaction force mass velocity acceleration current voltage resistance circuit "
    "equation function variable constant probability sample theorem proof integer fraction decimal equal parallel",
    "geometry": "perpendicular hypotenuse vertex tangent chord bisector midpoint degrees centimetres metres inside "
    "outside between above below equal opposite adjacent isosceles equilateral right obtuse acute similar congruent",
    "looks": "red orange yellow green blue purple brown black white grey light dark bright small large tall wide "
    "narrow mountain left right top bottom centre corner near far round straight curved empty full cloud tree",
    "reading": "following question option choose explain because therefore however compare estimate calculate "
    "approximately according difference between increase decrease remain change during before after since until each "
    "every most least than more less about information description summary detail reference appendix section chapter",
}
LISTS = ("The words for {topic}: {words}.", "{words}", "a {words}\n")
QUESTIONS = (
    "What is the {asked} of the {place} shown in the {kind}?",
    "According to the {kind}, which {place} has the highest {asked}?",
    "How many times is the {asked} written on the {place}?",
    "Find the {asked} of the {place} in the {kind} above.",
    "Is the {asked} of the first {place} greater than the {asked} of the second {place}?",
)
STATEMENTS = (
    "The {kind} describes the {asked} of each {place}; figures were collected between {low} and {high}.",
    "Note that the {asked} of the {place} is given in thousands and may not add up to 100% because of rounding.",
    "For the {place}, the {asked} increased from {low} to {high}, while other groups remained almost unchanged.",
    "Sources differ on the {asked}, therefore the {place} should be read together with the following explanation.",
)
ANSWERS = (
    "Answer with a single word or number.",
    "Reply with the letter of the correct option only.\nA. {low}\nB. {high}\nC. both\nD. none of these",
    "Think step by step, explain the reasoning, then give the final answer.",
    "Yes, the {asked} is {low}.",
    "No, because the {place} shows {high} instead.",
)


def corpus() -> Iterator[str]:
    """Yield every sentence of the tables in a fixed order: the vocabulary, then each combination once."""
    for topic, words in VOCABULARY.items():
        yield from (listing.format(topic=topic, words=words) for listing in LISTS)
    for kind, (asked, places) in ENTITIES.items():
        for index, (what, place) in enumerate(product(asked, places)):
            for sentence in (*QUESTIONS, *STATEMENTS, *ANSWERS):
                yield sentence.format(kind=kind, asked=what, place=place, low=1900 + index, high=2000 + 7 * index)
