# shellcheck shell=sh
# The name behind a login: the comment of its key in authorized_keys. It is a label for
# people who share an account, not security, since each of them can change it.
if [ -n "${SSH_USER_AUTH-}" ] && [ -z "${LOGIN_NAME-}" ]; then
    LOGIN_NAME=
    if { read -r _ _ _login_key _ <"$SSH_USER_AUTH"; } 2>/dev/null; then
        LOGIN_NAME=$(LC_ALL=C awk -v key="$_login_key" '
            /^[ \t]*#/ || !(at = index($0, key)) {next}
            substr($0, at - 1, 1) !~ /[ \t]/ || substr($0, at + length(key), 1) !~ /[ \t]/ {next}
            {
                name = substr($0, at + length(key))
                gsub(/[\001-\037\177]|\302[\200-\237]/, " ", name)
                gsub(/^ +| +$/, "", name)
                if (length(name) > 60) {
                    name = substr(name, 1, 60)
                    sub(/[\300-\377][\200-\277]*$/, "", name)
                }
                print name
                exit
            }' "${AUTHORIZED_KEYS-}" /AI/.ssh/authorized_keys 2>/dev/null) || true
    fi
    if [ -n "$LOGIN_NAME" ]; then
        export LOGIN_NAME
        # Where git has a name already, these variables would replace it.
        if command -v git >/dev/null && ! git config user.name >/dev/null 2>&1; then
            export GIT_AUTHOR_NAME="$LOGIN_NAME" GIT_COMMITTER_NAME="$LOGIN_NAME"
        fi
    else
        unset LOGIN_NAME
    fi
    unset _login_key
fi
