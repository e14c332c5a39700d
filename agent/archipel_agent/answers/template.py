"""A commented answer file with every key in it, made from the schema, so that it says what this version takes. Pure."""

from archipel_agent.answers.schema import FIELDS, FORMAT, TABLES

HEAD = f"""\
# archipel.toml: the answers for a machine that sets itself up.
#
# Put it on the boot partition (beside config.txt on a Raspberry Pi), on a stick, or into /etc/archipel. It is applied when
# the machine starts, and again each time it changes. What came of it stands beside it in archipel-result.txt.
# Take away the # in front of what you want to say. Check it first:  archipel answers check archipel.toml

format = {FORMAT}
"""


def template() -> str:
    """Return the text of the file."""
    parts = [HEAD]
    for table, meaning in TABLES.items():
        fields = [one for one in FIELDS.values() if one.table == table]
        if not fields:
            continue
        parts.append(f"\n[{table}]\n# {meaning}\n")
        for one in fields:
            choices = f" One of: {', '.join(one.choices)}." if one.choices else ""
            parts.append(f"\n# {one.meaning}{choices}\n# {one.shown}\n")
    return "".join(parts)
