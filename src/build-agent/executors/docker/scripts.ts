/**
 * What runs inside a container, for any POSIX shell: a step needs nothing else of an image.
 *
 * Only what a shell has built in is used, so that an image without a single tool runs its steps too.
 */

/** Where the bridge is seen inside; not a place that images use. */
export const TARGET = '/caravan'

/**
 * Runs one command: number, pipe, folder, words. The engine starts it as the leader of a session, so its own
 * number is that of the group of everything that the command starts.
 *
 * Numbers are written over what the agent has put into the files: on a full disk there is room for nothing
 * else. What the wrapper itself says, such as of a command that was killed, is no output of the step. TERM is meant for the command, and whoever tells its status has to outlive it.
 */
export const STEP_SCRIPT = `\
_caravan_out=${TARGET}/out/$1 _caravan_pipe=$2 _caravan_folder=$3
shift 3
trap : TERM INT HUP QUIT
echo $$ 1<> "$_caravan_out.pid"
{ echo 500 > /proc/self/oom_score_adj; } 2> /dev/null
exec < /dev/null > "$_caravan_pipe" 2> /dev/null
if cd "$_caravan_folder" 2> /dev/null; then
  (exec 2>&1; exec "$@")
  _caravan_code=$?
else
  _caravan_code=folder
fi
echo $_caravan_code 1<> "$_caravan_out.status"
[ $_caravan_code = folder ] && exit 126
exit $_caravan_code
`

/** Keeps a container alive: it waits for a word that never comes, and ends with the agent, who would say it. */
export const KEEPER = `read -r word < ${TARGET}/hold`

/**
 * What the agent wants to know of an image; one word or `name=value` a line. Makes the working directory on
 * the way, which it is given as the configuration has it: another command would take as long again.
 */
export const PROBE = `\
echo "home=$HOME"
case $0 in
"~") folder=\${HOME:-/} ;;
"~/"*) folder=\${HOME:-/}/\${0#"~/"} ;;
/*) folder=$0 ;;
*) folder=\${HOME:-/}/$0 ;;
esac
{ [ -d "$folder" ] || mkdir -p "$folder"; } 2> /dev/null && echo folder
[ -x /bin/bash ] && echo bash
(set -o pipefail) 2> /dev/null && echo pipefail
command -v git > /dev/null && echo git
:`

/** `circleci` and `circleci-agent`: what is asked for goes to the agent. */
export const SHIM = `\
#!/bin/sh
case "$1 $2" in
"step halt" | "task halt")
  echo "step halt" > ${TARGET}/requests
  ;;
*)
  echo "\${0##*/}: '$*' is not supported in a container. There is: step halt." >&2
  exit 2
  ;;
esac
`

/** A question about a folder: what `Executor.lookInto` answers. */
export const LOOK = `\
[ -e "$0/.git" ] && { echo repository; exit; }
for name in "$0"/* "$0"/.[!.]* "$0"/..?*; do
  [ -e "$name" ] || [ -L "$name" ] || continue
  echo other
  exit
done
echo empty`

export const MAKE_FOLDER = '[ -d "$0" ] || mkdir -p "$0"'

/** Signals a group; `--` before its number is not known to every shell. */
export const SIGNAL = 'kill "-$0" "-$1"'
