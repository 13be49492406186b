/* Which hub, which revision, which token; see pull_source.h. */
#include "hub/pull_source.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "hub/http.h"

static size_t without_slashes(const char *url)
{
    size_t n = strlen(url);
    while (n > 0 && url[n - 1] == '/') {
        n--;
    }
    return n;
}

/* Is what --hub says the hub of the address? Only the parser knows a hub with a path; of others
 * case and the usual port may differ. */
static bool is_same_hub(const char *flag, const char *hub)
{
    const size_t n = without_slashes(flag);
    const char *host = strstr(flag, "://");
    const bool has_path = host != NULL && memchr(host + 3, '/', n - (size_t)(host + 3 - flag));
    return (n == strlen(hub) && strncasecmp(flag, hub, n) == 0) ||
           (!has_path && mdf_http_same_origin(flag, hub));
}

static mdf_status choose_hub(mdf_pull_source *s, const mdf_pull_given *g, mdf_error *err)
{
    const char *hub = g->hub;
    if (s->at.hub[0] != '\0') {
        s->hub_by = "the address";
        s->hub_typed = true;
        return g->hub == NULL || is_same_hub(g->hub, s->at.hub)
                   ? MDF_OK
                   : mdf_fail(err, MDF_ERR_ARG, "--hub is %.200s, but the address is at %.200s",
                              g->hub, s->at.hub);
    }
    s->hub_by = "--hub";
    s->hub_typed = hub != NULL;
    if (hub == NULL) {
        hub = g->mdf_hub != NULL ? g->mdf_hub : g->hf_endpoint;
        s->hub_by = g->mdf_hub != NULL ? "MDF_HUB" : "HF_ENDPOINT";
    }
    if (hub == NULL) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "say which hub: --hub URL, a whole address, or the variable MDF_HUB or "
                        "HF_ENDPOINT");
    }
    const size_t n = without_slashes(hub);
    if (n == 0 || n >= sizeof s->at.hub) {
        return mdf_fail(err, MDF_ERR_ARG, "%s: '%.60s' is not the address of a hub", s->hub_by,
                        hub);
    }
    (void)snprintf(s->at.hub, sizeof s->at.hub, "%.*s", (int)n, hub);
    return MDF_OK;
}

static mdf_status choose_revision(mdf_pull_source *s, const mdf_pull_given *g, mdf_error *err)
{
    const char *revision = g->revision != NULL ? g->revision : "main";
    if (s->at.revision[0] != '\0') {
        return g->revision == NULL || strcmp(g->revision, s->at.revision) == 0
                   ? MDF_OK
                   : mdf_fail(err, MDF_ERR_ARG,
                              "--revision is '%.100s', but the address names '%.100s'", g->revision,
                              s->at.revision);
    }
    if (!mdf_hub_is_revision(revision)) {
        return mdf_fail(err, MDF_ERR_FORMAT, "'%.100s' is not a revision: a branch, tag or commit",
                        revision);
    }
    (void)snprintf(s->at.revision, sizeof s->at.revision, "%s", revision);
    return MDF_OK;
}

/* Takes the token of a variable if it is for this hub, which `beside`, when set, has the say in. */
static void try_variable(mdf_pull_source *s, const char *token, const char *name,
                         const char *beside, const char *beside_name)
{
    if (token == NULL || s->token != NULL) {
        return;
    }
    if (beside == NULL ? s->hub_typed : mdf_http_same_origin(beside, s->at.hub)) {
        s->token = token;
        s->token_by = name;
        s->other_token = NULL;
        s->other_token_to = NULL;
    } else if (s->other_token == NULL) {
        s->other_token = name;
        s->other_token_to = beside_name;
    }
}

mdf_status mdf_pull_source_choose(mdf_pull_source *out, const mdf_pull_given *given, mdf_error *err)
{
    const char *const hubs[] = {given->hub, given->mdf_hub, given->hf_endpoint};
    mdf_pull_source s = {0};
    MDF_TRY(mdf_hub_address_parse(&s.at, given->address, strlen(given->address), hubs,
                                  sizeof hubs / sizeof hubs[0], err));
    MDF_TRY(choose_hub(&s, given, err));
    MDF_TRY(choose_revision(&s, given, err));
    if (given->token != NULL) {
        s.token = given->token;
        s.token_by = "--token-file";
    }
    try_variable(&s, given->mdf_token, "MDF_TOKEN", given->mdf_hub, "MDF_HUB");
    try_variable(&s, given->hf_token, "HF_TOKEN", given->hf_endpoint, "HF_ENDPOINT");
    *out = s;
    return MDF_OK;
}
