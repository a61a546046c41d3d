# Bash completion for tidemark. Commands and options are the program's own: it is asked.

_tidemark()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} words

	case $prev in
	--format) COMPREPLY=($(compgen -W 'text json' -- "$cur")); return ;;
	-O | --output) COMPREPLY=($(compgen -f -- "$cur")); return ;;
	esac
	if [ "$COMP_CWORD" -eq 1 ]; then
		words=$("$1" --help 2>/dev/null | sed -n 's/^  tidemark \([a-z]*\) .*/\1/p')
		COMPREPLY=($(compgen -W "$words --help --version" -- "$cur"))
	elif [[ $cur == -* ]]; then
		words=$("$1" "${COMP_WORDS[1]}" --help 2>/dev/null | grep -o -- '--[a-z][a-z-]*' | sort -u)
		COMPREPLY=($(compgen -W "$words" -- "$cur"))
	elif [ "${COMP_WORDS[1]}" = attach ]; then
		COMPREPLY=($(compgen -W "$(cd /proc && echo [0-9]*)" -- "$cur"))
	elif [ "${COMP_WORDS[1]}" = run ]; then
		COMPREPLY=($(compgen -c -- "$cur"))
	fi
}
complete -o default -F _tidemark tidemark
