#!/bin/sh
# Reports a deployment event to Versioner, or asks whether a deployment may start. Requires sh, curl, sed and tr, which every CI image
# with curl has.
#
#   versioner-event.sh started|completed|failed|aborted
#   versioner-event.sh preflight      evaluates the deployment rules and records nothing
#
# VERSIONER_API_URL      the server, such as https://versioner.example.com
# VERSIONER_API_KEY      an API key, from the CI system's store of secrets
# VERSIONER_PREFLIGHT_KEY
#                        for preflight: a key with the scope preflight; without it, VERSIONER_API_KEY has to have that scope
# VERSIONER_PRODUCT, VERSIONER_VERSION, VERSIONER_ENVIRONMENT
#                        the product, its version and the environment
# VERSIONER_SOURCE_SYSTEM, VERSIONER_BUILD_NUMBER, VERSIONER_SCM_SHA, VERSIONER_SCM_BRANCH, VERSIONER_SCM_REPOSITORY,
# VERSIONER_DEPLOY_URL, VERSIONER_INVOKE_ID, VERSIONER_DEPLOYED_BY
#                        optional fields of an event; empty ones are omitted
# VERSIONER_FAIL_ON_API_ERROR=false
#                        exit with 0 when the server has not accepted the request; a rejected deployment still fails
# VERSIONER_DETAILED_EXIT=true
#                        exit with 3 and 4 for events, too, which otherwise exit with 1
#
# Exit status:
#   0  the event is recorded; preflight: the deployment may start
#   1  unavailable: no connection, 429 or 5xx; of events, any other error
#   2  invalid usage
#   3  bad request: 400, 404, 415, 422 or another 4xx
#   4  credentials: 401 or 403
#   5  rejected by a rule: 409, 423 or 428; preflight: a rule would reject the deployment
set -eu
LC_ALL=C
export LC_ALL

# required TEXT DESCRIPTION ends the script if the text is empty.
required() {
	[ -n "$1" ] || {
		printf '%s\n' "versioner-event.sh: $2 is missing" >&2
		exit 2
	}
}

action=${1:-}
required "$action" 'the status, one of started, completed, failed and aborted, or preflight,'
[ "$action" != preflight ] || VERSIONER_API_KEY=${VERSIONER_PREFLIGHT_KEY:-${VERSIONER_API_KEY:-}}
required "${VERSIONER_API_URL:-}" 'VERSIONER_API_URL, the address of the server,'
required "${VERSIONER_API_KEY:-}" 'VERSIONER_API_KEY, an API key,'
required "${VERSIONER_PRODUCT:-}" 'VERSIONER_PRODUCT, the product,'
required "${VERSIONER_VERSION:-}" 'VERSIONER_VERSION, its version,'
required "${VERSIONER_ENVIRONMENT:-}" 'VERSIONER_ENVIRONMENT, the environment,'

# member NAME TEXT writes a comma and a member of a JSON object, with the text escaped; nothing for an empty text.
member() {
	escaped=$(printf '%s' "$2" | tr -d '\000-\037' | sed 's/[\\"]/\\&/g')
	[ -z "$escaped" ] || printf ',"%s":"%s"' "$1" "$escaped"
}

path=/deployment-events/
[ "$action" != preflight ] || path=/preflight/
body=$(
	member product_name "$VERSIONER_PRODUCT"
	member version "$VERSIONER_VERSION"
	member environment_name "$VERSIONER_ENVIRONMENT"
	if [ "$action" != preflight ]; then
		member status "$action"
		member source_system "${VERSIONER_SOURCE_SYSTEM:-}"
		member build_number "${VERSIONER_BUILD_NUMBER:-}"
		member scm_sha "${VERSIONER_SCM_SHA:-}"
		member scm_branch "${VERSIONER_SCM_BRANCH:-}"
		member scm_repository "${VERSIONER_SCM_REPOSITORY:-}"
		member deploy_url "${VERSIONER_DEPLOY_URL:-}"
		member invoke_id "${VERSIONER_INVOKE_ID:-}"
		member deployed_by "${VERSIONER_DEPLOYED_BY:-}"
	fi
)

# The key goes through standard input, so that other programs on the machine do not see it. The last line of the answer is its status.
answer=$(printf 'header = "Authorization: Bearer %s"\n' "$VERSIONER_API_KEY" | curl --config - --silent --show-error \
	--max-time 30 --retry 3 --retry-connrefused --retry-max-time 120 --write-out '\n%{http_code}' \
	--header 'Content-Type: application/json' --data-binary "{${body#,}}" "${VERSIONER_API_URL%/}$path") || true
newline='
'
http_status=${answer##*"$newline"}
answer=${answer%"$newline"*}
printf '%s\n' "Versioner: $action of $VERSIONER_PRODUCT $VERSIONER_VERSION in $VERSIONER_ENVIRONMENT: HTTP status ${http_status:-none}"

# The answer with each escaped quote and backslash as a control character, so that a quote ends a text.
json=$(printf '%s' "$answer" | tr -d '\001\002' | sed "s/\\\\\\\\/$(printf '\002')/g; s/\\\\\"/$(printf '\001')/g; s/\\\\[nrt]/ /g
s/\\\\u003c/</g; s/\\\\u003e/>/g; s/\\\\u0026/\\&/g")

# first NAME LABEL prints the first text of that name in the answer, after the label; nothing if there is none.
first() {
	printf '%s\n' "$json" | sed "s/\"$1\":\"/\\
&/" | sed -n "s/^\"$1\":\"\([^\"]*\)\".*/$2: \1/p" | tr '\001\002' '"\\'
}

# findings LIST LABEL prints what rules have found, after the label: a line for each in that list of the answer to a preflight.
findings() {
	printf '%s\n' "$json" | sed -n "s/.*\"$1\":\[\({.*\)/\1/p" | sed 's/],"usable_grant_id":.*//; s/],"warnings":.*//; s/{"certain":/\
&/g' |
		sed -n "s/.*\"code\":\"\([A-Z_]*\)\".*\"message\":\"\([^\"]*\)\".*/$2\1: \2/p" | tr '\001\002' '"\\'
}

detailed=${VERSIONER_DETAILED_EXIT:-false}
[ "$action" != preflight ] || detailed=true
case $http_status in
200)
	[ "$action" = preflight ] || exit 0
	case $json in
	*'"would_allow":true'*)
		findings reports 'Reported only: '
		printf '%s\n' 'The deployment may start.'
		exit 0
		;;
	*'"would_allow":false'*)
		{
			printf '%s\n' 'A deployment rule would reject this deployment.'
			findings violations ''
			first next_allowed_at 'Retry after'
			printf '%s\n' "$answer"
		} >&2
		exit 5
		;;
	esac
	status=1
	;;
409 | 423 | 428)
	{
		printf '%s\n' 'Versioner rejected this deployment.'
		first code Code
		first rule_name Rule
		first message Message
		first retry_after 'Retry after'
		printf '%s\n' "$answer"
	} >&2
	exit 5
	;;
401 | 403) status=4 ;;
429) status=1 ;;
4??) status=3 ;;
*) status=1 ;;
esac
if [ "$action" = preflight ]; then
	printf '%s\n' "The deployment rules were not evaluated: $answer" >&2
else
	printf '%s\n' "The event was not recorded: $answer" >&2
fi
[ "${VERSIONER_FAIL_ON_API_ERROR:-true}" != false ] || exit 0
[ "$detailed" = true ] || exit 1
exit "$status"
