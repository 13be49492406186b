/* The parts of a repository's address; see hub_address.h. */
#include "hub/hub_address.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"

/* An address while it is taken apart. */
typedef struct reader {
    mdf_hub_address *out;
    const char *text; /* all of it, for sentences */
    char *rest;       /* what is not read yet, changed by cutting */
    mdf_error *err;
} reader;

static mdf_status fail(const reader *r, const char *what)
{
    return mdf_fail(r->err, MDF_ERR_FORMAT, "'%.200s' %s", r->text, what);
}

static bool starts(const char *text, const char *with)
{
    return strncasecmp(text, with, strlen(with)) == 0;
}

/* The part up to the next slash; NULL = there is none. */
static char *cut(reader *r)
{
    if (*r->rest == '\0') {
        return NULL;
    }
    char *part = r->rest;
    r->rest += strcspn(part, "/");
    if (*r->rest == '/') {
        *r->rest++ = '\0';
    }
    return part;
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);
    return at == NULL ? -1 : (int)(at - digits);
}

/* Undoes percent-encoding; false: malformed, a NUL, or it does not fit. */
static bool decode(const char *text, char *out, size_t out_bytes)
{
    size_t n = 0;
    for (; *text != '\0' && n + 1 < out_bytes; text++) {
        out[n] = *text;
        if (*text == '%') {
            const int high = hex_digit(text[1]);
            const int low = high < 0 ? -1 : hex_digit(text[2]);
            if (low < 0 || (high == 0 && low == 0)) {
                return false;
            }
            out[n] = (char)(high * 16 + low);
            text += 2;
        }
        n++;
    }
    out[n] = '\0';
    return *text == '\0';
}

/* Bytes of "scheme://host:port" at the start of a URL, 0 = it is none. */
static size_t origin_bytes(const char *url)
{
    const size_t scheme = starts(url, "https://") ? 8 : starts(url, "http://") ? 7 : 0;
    const size_t host = scheme == 0 ? 0 : strcspn(url + scheme, "/");
    return host == 0 ? 0 : scheme + host;
}

/* Bytes of a known hub that text begins with, 0 = it does not. */
static size_t known_bytes(const char *text, const char *hub)
{
    const size_t origin = origin_bytes(text);
    size_t n = hub == NULL ? 0 : strlen(hub);
    while (n > 0 && hub[n - 1] == '/') {
        n--;
    }
    const bool same = n >= origin && n <= strlen(text) && (text[n] == '/' || text[n] == '\0') &&
                      strncasecmp(text, hub, origin) == 0 &&
                      strncmp(text + origin, hub + origin, n - origin) == 0;
    return same ? n : 0;
}

static mdf_status take_hub(reader *r, const char *const *hub, size_t hubs)
{
    static const char in_host[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  ".-_:[]";
    const char *host = strstr(r->text, "://") + 3;
    size_t n = origin_bytes(r->text);
    if (n == 0) {
        return fail(r, "is not an address: those begin with https://, http:// or hf://");
    }
    if (host + strspn(host, in_host) != r->text + n) {
        return fail(r, "has a host's name that is none, or a user's name");
    }
    if (strpbrk(r->text, "?#") != NULL) {
        return fail(r, "is a repository's address with '?' or '#': give it without what follows");
    }
    for (size_t i = 0; i < hubs; i++) {
        const size_t known = known_bytes(r->text, hub[i]);
        n = known > n ? known : n;
    }
    if (n >= sizeof r->out->hub) {
        return mdf_fail(r->err, MDF_ERR_LIMIT, "'%.60s...': the hub's address is too long",
                        r->text);
    }
    memcpy(r->out->hub, r->text, n);
    r->rest += n + (r->rest[n] == '/' ? 1 : 0);
    const size_t left = strlen(r->rest);
    if (left > 0 && r->rest[left - 1] == '/') {
        r->rest[left - 1] = '\0';
    }
    return MDF_OK;
}

static mdf_status take_kind(reader *r)
{
    static const char datasets[] = "datasets/";
    if (strncmp(r->rest, "spaces/", 7) == 0) {
        return fail(r, "is a space, neither a model nor a data set");
    }
    if (strncmp(r->rest, datasets, sizeof datasets - 1) == 0) {
        r->out->kind = MDF_HUB_DATASET;
        r->rest += sizeof datasets - 1;
    }
    return MDF_OK;
}

static mdf_status set_name(reader *r, const char *owner, const char *name)
{
    mdf_hub_address *a = r->out;
    const int n = snprintf(a->name, sizeof a->name, "%s%s%s", owner == NULL ? "" : owner,
                           name == NULL ? "" : "/", name == NULL ? "" : name);
    if (n < 0 || (size_t)n >= sizeof a->name || !mdf_hub_is_name(a->name) ||
        strcmp(a->name, "datasets") == 0) {
        return fail(r, "is not a repository: OWNER/NAME of letters, digits, '-', '_', '.'");
    }
    return MDF_OK;
}

/* "refs/pr/1" is one revision of three parts; every other one hides its slashes. */
static mdf_status take_revision(reader *r)
{
    char joined[MDF_HUB_REVISION_BYTES * 3];
    const char *part = cut(r);
    if (part != NULL && strcmp(part, "refs") == 0 &&
        (strncmp(r->rest, "pr/", 3) == 0 || strncmp(r->rest, "convert/", 8) == 0)) {
        const char *kind = cut(r);
        const char *which = cut(r);
        const int n =
            snprintf(joined, sizeof joined, "refs/%s/%s", kind, which == NULL ? "" : which);
        part = n < 0 || (size_t)n >= sizeof joined || which == NULL ? NULL : joined;
    }
    if (part == NULL || !decode(part, r->out->revision, sizeof r->out->revision) ||
        !mdf_hub_is_revision(r->out->revision)) {
        return fail(r, "does not name its revision: a branch, tag or commit");
    }
    return MDF_OK;
}

/* Nothing may be left: a pull takes a repository, not a part of it. */
static mdf_status end(const reader *r, bool is_file)
{
    char path[MDF_MAX_LIST_PATH + 1];
    if (*r->rest == '\0') {
        return MDF_OK;
    }
    if (!decode(r->rest, path, sizeof path)) {
        return fail(r, "has a path that is none");
    }
    return mdf_fail(r->err, MDF_ERR_FORMAT,
                    "'%.200s' lies within a repository: give the repository's address, with "
                    "--include '%.100s%s' for that part alone",
                    r->text, path, is_file ? "" : "/*");
}

/* Which of the pages of a repository show its files? */
static bool is_files_page(const char *part)
{
    return strcmp(part, "tree") == 0 || strcmp(part, "blob") == 0 || strcmp(part, "resolve") == 0 ||
           strcmp(part, "raw") == 0;
}

static mdf_status parse_url(reader *r, const char *const *hub, size_t hubs)
{
    MDF_TRY(take_hub(r, hub, hubs));
    MDF_TRY(take_kind(r));
    const char *owner = cut(r);
    const char *name = cut(r);
    const char *page = name != NULL && is_files_page(name) ? name : cut(r);
    MDF_TRY(set_name(r, owner, page == name ? NULL : name));
    if (page == NULL) {
        return MDF_OK;
    }
    if (!is_files_page(page)) {
        return fail(r, "is a page of a repository: give the address up to its name");
    }
    MDF_TRY(take_revision(r));
    return end(r, strcmp(page, "tree") != 0);
}

static mdf_status parse_short(reader *r)
{
    MDF_TRY(take_kind(r));
    char *at = strchr(r->rest, '@');
    if (at != NULL) {
        *at = '\0';
        MDF_TRY(set_name(r, r->rest, NULL));
        r->rest = at + 1;
        MDF_TRY(take_revision(r));
    } else {
        const char *owner = cut(r);
        MDF_TRY(set_name(r, owner, cut(r)));
    }
    return end(r, false);
}

static mdf_status parse(reader *r, const char *const *hub, size_t hubs)
{
    static const char short_form[] = "hf://";
    if (starts(r->text, short_form)) {
        r->rest += sizeof short_form - 1;
        return parse_short(r);
    }
    if (strstr(r->text, "://") != NULL) {
        return parse_url(r, hub, hubs);
    }
    MDF_TRY(take_kind(r));
    return set_name(r, r->rest, NULL);
}

mdf_status mdf_hub_address_parse(mdf_hub_address *out, const char *text, size_t len,
                                 const char *const *hub, size_t hubs, mdf_error *err)
{
    char whole[MDF_MAX_ADDRESS + 1];
    char parts[MDF_MAX_ADDRESS + 1];
    mdf_hub_address address = {0};
    if (len > MDF_MAX_ADDRESS) {
        return mdf_fail(err, MDF_ERR_LIMIT, "'%.60s...': the address is too long", text);
    }
    memcpy(whole, text, len);
    whole[len] = '\0';
    reader r = {.out = &address, .text = whole, .rest = parts, .err = err};
    for (size_t i = 0; i < len; i++) {
        if (text[i] <= ' ' || text[i] > '~') {
            return fail(&r, "is not a repository: it has a character that no address has");
        }
    }
    memcpy(parts, whole, len + 1);
    MDF_TRY(parse(&r, hub, hubs));
    *out = address;
    return MDF_OK;
}
