#!/bin/sh
# Reports a deployment event to Versioner. Requires sh, curl, sed and tr, which every CI image with curl has.
#
#   versioner-event.sh started|completed|failed|aborted
#
# VERSIONER_API_URL      the server, such as https://versioner.example.com
# VERSIONER_API_KEY      an API key, from the CI system's store of secrets
# VERSIONER_PRODUCT, VERSIONER_VERSION, VERSIONER_ENVIRONMENT
#                        the product, its version and the environment
# VERSIONER_SOURCE_SYSTEM, VERSIONER_BUILD_NUMBER, VERSIONER_SCM_SHA, VERSIONER_SCM_BRANCH, VERSIONER_SCM_REPOSITORY,
# VERSIONER_DEPLOY_URL, VERSIONER_INVOKE_ID, VERSIONER_DEPLOYED_BY
#                        optional fields; empty ones are omitted
# VERSIONER_FAIL_ON_API_ERROR=false
#                        exit with 0 when the event is not recorded; a rejected deployment still fails
#
# Exit status: 0 recorded; 5 rejected by a rule (409, 423 or 428); 1 not recorded; 2 invalid usage.
set -eu
LC_ALL=C
export LC_ALL

: "${1:?is missing: the status, one of started, completed, failed and aborted}"
: "${VERSIONER_API_URL:?is the address of the server}" "${VERSIONER_API_KEY:?is an API key}"
: "${VERSIONER_PRODUCT:?is the product}" "${VERSIONER_VERSION:?is its version}" "${VERSIONER_ENVIRONMENT:?is the environment}"

# member NAME TEXT writes a comma and a member of a JSON object, with the text escaped; nothing for an empty text.
member() {
	escaped=$(printf '%s' "$2" | tr -d '\000-\037' | sed 's/[\\"]/\\&/g')
	[ -z "$escaped" ] || printf ',"%s":"%s"' "$1" "$escaped"
}

body=$(
	member status "$1"
	member product_name "$VERSIONER_PRODUCT"
	member version "$VERSIONER_VERSION"
	member environment_name "$VERSIONER_ENVIRONMENT"
	member source_system "${VERSIONER_SOURCE_SYSTEM:-}"
	member build_number "${VERSIONER_BUILD_NUMBER:-}"
	member scm_sha "${VERSIONER_SCM_SHA:-}"
	member scm_branch "${VERSIONER_SCM_BRANCH:-}"
	member scm_repository "${VERSIONER_SCM_REPOSITORY:-}"
	member deploy_url "${VERSIONER_DEPLOY_URL:-}"
	member invoke_id "${VERSIONER_INVOKE_ID:-}"
	member deployed_by "${VERSIONER_DEPLOYED_BY:-}"
)

# The key goes through standard input, so that other programs on the machine do not see it. The last line of the answer is its status.
answer=$(printf 'header = "Authorization: Bearer %s"\n' "$VERSIONER_API_KEY" | curl --config - --silent --show-error \
	--max-time 30 --retry 3 --retry-connrefused --retry-max-time 120 --write-out '\n%{http_code}' \
	--header 'Content-Type: application/json' --data-binary "{${body#,}}" "${VERSIONER_API_URL%/}/deployment-events/") || true
http_status=${answer##*
}
printf '%s\n' "Versioner: $1 of $VERSIONER_PRODUCT $VERSIONER_VERSION in $VERSIONER_ENVIRONMENT: HTTP status ${http_status:-none}"
case $http_status in
200)
	exit 0
	;;
409 | 423 | 428)
	printf '%s\n' "Versioner rejected this deployment: $answer" >&2
	exit 5
	;;
esac
printf '%s\n' "The event was not recorded: $answer" >&2
[ "${VERSIONER_FAIL_ON_API_ERROR:-true}" != false ] || exit 0
exit 1
