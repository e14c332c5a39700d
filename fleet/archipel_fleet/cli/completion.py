"""`archipel fleet completion`: a script with which bash or zsh complete `archipel fleet`, beside the one of `archipel`.

typer answers what could come next when it is asked through an environment variable; its own scripts know commands of one
word only, so these hand it the words from `fleet` on and leave the rest to the completion that was there before.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from archipel_contract.exits import Exit
from archipel_fleet.cli.command import Plain, Session, add

HELP = """\
Print the completion script of a shell; load it after the one of `archipel completion`.

Examples:

  archipel fleet completion bash | sudo tee /etc/bash_completion.d/archipel-fleet

  archipel fleet completion zsh > ~/.zfunc/_archipel_fleet
"""
BASH = r"""# Completion of `archipel fleet`; everything else goes to the completion of `archipel` that was loaded before.
_archipel_before_fleet=$(complete -p archipel 2>/dev/null | sed -n 's/.* -F \([^ ]*\) .*/\1/p')
[ "$_archipel_before_fleet" = _archipel_and_fleet ] && _archipel_before_fleet=

_archipel_and_fleet() {
    if [ "${COMP_WORDS[1]}" = fleet ] && [ "$COMP_CWORD" -ge 2 ]; then
        local IFS=$'\n'
        COMPREPLY=( $( env COMP_WORDS="$(IFS=' '; echo "${COMP_WORDS[*]:1}")" COMP_CWORD=$((COMP_CWORD - 1)) \
                       _ARCHIPEL_FLEET_COMPLETE=complete_bash "$1" fleet ) )
    elif [ -n "$_archipel_before_fleet" ]; then
        "$_archipel_before_fleet" "$@"
    fi
}

complete -o default -F _archipel_and_fleet archipel
"""
ZSH = r"""#compdef archipel
# Completion of `archipel fleet`; everything else goes to the completion of `archipel` that was loaded before.
if [[ ${_comps[archipel]} != _archipel_and_fleet ]]; then
    _archipel_before_fleet=${_comps[archipel]}
fi

_archipel_and_fleet() {
    if [[ ${words[2]} == fleet && $CURRENT -gt 2 ]]; then
        eval $(env _TYPER_COMPLETE_ARGS="${words[2,$CURRENT]}" _ARCHIPEL_FLEET_COMPLETE=complete_zsh ${words[1]} fleet)
    elif [[ -n $_archipel_before_fleet ]]; then
        $_archipel_before_fleet "$@"
    fi
}

compdef _archipel_and_fleet archipel
"""


class Shell(StrEnum):
    """A shell there is a script for."""

    BASH = "bash"
    ZSH = "zsh"


SCRIPTS = {Shell.BASH: BASH, Shell.ZSH: ZSH}


@dataclass(frozen=True, kw_only=True)
class CompletionOptions(Plain):
    """Options of `completion`."""

    shell: Annotated[Shell, typer.Argument(help="Whose script.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "completion", CompletionOptions, completion, HELP)


def completion(session: Session[CompletionOptions]) -> int:
    """Print the script."""
    script = SCRIPTS[session.options.shell]
    if session.screen.as_json:
        session.screen.data({"script": script})
    else:
        session.screen.out.write(script)
    return Exit.OK
