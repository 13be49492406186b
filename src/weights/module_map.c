/* Numbers for modules by regular expressions of their names. */
#include "weights/module_map.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/pcre.h"
#include "base/strbuf.h"

/* Steps of one match: three ".*" on the longest names need some 20,000. */
enum { MATCH_LIMIT = 200000, HEAP_LIMIT_KIB = 16384 };

typedef struct module_key {
    const char *text;
    pcre2_code *code;
    double value;
    bool used;
} module_key;

struct mdf_module_map {
    const char *path, *setting;
    pcre2_general_context *memory;
    pcre2_match_context *match;
    pcre2_match_data *data;
    module_key *item; /* [capacity] */
    size_t count, capacity;
};

static mdf_status no_memory(const mdf_module_map *m, mdf_error *err)
{
    return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory for %s", m->path, m->setting);
}

mdf_status mdf_module_map_new(mdf_module_map **out, const char *path, const char *setting,
                              mdf_error *err)
{
    *out = NULL;
    mdf_module_map *m = mdf_alloc(1, sizeof *m);
    if (m == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory for %s", path, setting);
    }
    *m = (mdf_module_map){.path = path, .setting = setting, .memory = mdf_pcre_memory()};
    if (m->memory != NULL) {
        m->match = pcre2_match_context_create(m->memory);
        m->data = pcre2_match_data_create(1, m->memory);
    }
    if (m->match == NULL || m->data == NULL) {
        const mdf_status status = no_memory(m, err);
        mdf_module_map_free(m);
        return status;
    }
    (void)pcre2_set_match_limit(m->match, MATCH_LIMIT);
    (void)pcre2_set_heap_limit(m->match, HEAP_LIMIT_KIB);
    *out = m;
    return MDF_OK;
}

void mdf_module_map_free(mdf_module_map *m)
{
    if (m == NULL) {
        return;
    }
    for (size_t i = 0; i < m->count; i++) {
        pcre2_code_free(m->item[i].code);
    }
    mdf_free(m->item);
    pcre2_match_data_free(m->data);
    pcre2_match_context_free(m->match);
    pcre2_general_context_free(m->memory);
    mdf_free(m);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Printable ASCII: whatever Python and PCRE2 do with other characters, no module has them. */
static bool is_plain(char c)
{
    return c >= ' ' && c <= '~';
}

/* The bytes of an escape at s that stands for itself or for one of the classes; 0: another. */
static size_t escape(const char *s, size_t n, const char *classes)
{
    if (n < 2 || !is_plain(s[1]) || is_digit(s[1])) {
        return 0;
    }
    return !is_letter(s[1]) || strchr(classes, s[1]) != NULL ? 2 : 0;
}

/* "(", "(?:" or a look around. */
static size_t opening(const char *s, size_t n)
{
    static const char *const known[] = {"(?:", "(?=", "(?!", "(?<=", "(?<!"};
    if (n > 1 && s[1] == '*') { /* a verb of PCRE2 */
        return 0;
    }
    if (n < 2 || s[1] != '?') {
        return 1;
    }
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        const size_t m = strlen(known[i]);
        if (n >= m && memcmp(s, known[i], m) == 0) {
            return m;
        }
    }
    return 0;
}

/* "{2}", "{2,}" or "{2,3}". */
static size_t repeat(const char *s, size_t n)
{
    size_t i = 1;
    while (i < n && is_digit(s[i])) {
        i++;
    }
    if (i == 1 || i == n) {
        return 0;
    }
    i += s[i] == ',' ? 1 : 0;
    while (i < n && is_digit(s[i])) {
        i++;
    }
    return i < n && s[i] == '}' ? i + 1 : 0;
}

/* One character of a set, or a class such as \d. *single: it may begin or end a range. */
static size_t set_item(const char *s, size_t n, bool *single)
{
    *single = false;
    if (n == 0 || !is_plain(s[0]) || s[0] == '[') {
        return 0;
    }
    if (s[0] == '\\') {
        *single = n > 1 && !is_letter(s[1]);
        return escape(s, n, "dDwWsS");
    }
    *single = s[0] != '-';
    return 1;
}

/* "[...]": characters, classes, ranges of two characters; a hyphen at the start or the end. */
static size_t set(const char *s, size_t n)
{
    size_t i = n > 1 && s[1] == '^' ? 2 : 1;
    const size_t first = i;
    while (i < n && (s[i] != ']' || i == first)) {
        bool single = false;
        bool end = false;
        if (s[i] == '-' && i != first && (i + 1 == n || s[i + 1] != ']')) {
            return 0;
        }
        const size_t m = set_item(s + i, n - i, &single);
        if (m == 0) {
            return 0;
        }
        i += m;
        if (single && n - i >= 2 && s[i] == '-' && s[i + 1] != ']') {
            const size_t to = set_item(s + i + 1, n - i - 1, &end);
            if (to == 0 || !end) {
                return 0;
            }
            i += 1 + to;
        }
    }
    return i < n ? i + 1 : 0;
}

size_t mdf_module_map_common(const char *expression, size_t n)
{
    size_t i = 0;
    while (i < n) {
        const char *s = expression + i;
        const size_t left = n - i;
        size_t m = is_plain(*s) ? 1 : 0;
        if (*s == '\\') {
            m = escape(s, left, "dDwWsSbBAZ");
        } else if (*s == '(') {
            m = opening(s, left);
        } else if (*s == '[') {
            m = set(s, left);
        } else if (*s == '{') {
            m = repeat(s, left);
        }
        if (m == 0) {
            return i;
        }
        i += m;
    }
    return n;
}

static mdf_status compile(const mdf_module_map *m, pcre2_code **out, const char *key,
                          const mdf_strbuf *text, mdf_error *err)
{
    int code = 0;
    size_t at = 0;
    if (text->failed) {
        return no_memory(m, err);
    }
    const size_t common = mdf_module_map_common(text->data, text->len);
    if (common < text->len) {
        return mdf_fail(err, MDF_ERR_FORMAT,
                        "%s: %s: \"%.100s\" is an expression that is not supported from \"%.20s\" "
                        "on",
                        m->path, m->setting, key, text->data + common);
    }
    pcre2_compile_context *context = pcre2_compile_context_create(m->memory);
    if (context == NULL) {
        return no_memory(m, err);
    }
    *out = pcre2_compile((PCRE2_SPTR)text->data, text->len, 0, &code, &at, context);
    pcre2_compile_context_free(context);
    if (*out == NULL) {
        PCRE2_UCHAR why[128] = {0};
        (void)pcre2_get_error_message(code, why, sizeof why);
        return mdf_pcre_no_memory(code)
                   ? no_memory(m, err)
                   : mdf_fail(err, MDF_ERR_FORMAT,
                              "%s: %s: \"%.100s\" is no regular expression: %s", m->path,
                              m->setting, key, (const char *)why);
    }
    return MDF_OK;
}

static mdf_status make_room(mdf_module_map *m, mdf_error *err)
{
    if (m->count == MDF_MAX_MODULE_KEYS) {
        return mdf_fail(err, MDF_ERR_LIMIT, "%s: %s has more than %d keys", m->path, m->setting,
                        MDF_MAX_MODULE_KEYS);
    }
    if (m->count == m->capacity) {
        const size_t more = m->capacity == 0 ? 16 : 2 * m->capacity;
        module_key *grown = m->item == NULL ? mdf_alloc(more, sizeof *grown)
                                            : mdf_grow(m->item, m->count, more, sizeof *grown);
        if (grown == NULL) {
            return no_memory(m, err);
        }
        m->item = grown;
        m->capacity = more;
    }
    return MDF_OK;
}

mdf_status mdf_module_map_add(mdf_module_map *m, const char *key, double value, mdf_error *err)
{
    if (strlen(key) > MDF_MAX_PATTERN_BYTES) {
        return mdf_fail(err, MDF_ERR_LIMIT, "%s: %s: \"%.60s...\" is longer than %d bytes", m->path,
                        m->setting, key, MDF_MAX_PATTERN_BYTES);
    }
    MDF_TRY(make_room(m, err));
    module_key *k = &m->item[m->count];
    *k = (module_key){.text = key, .value = value};
    mdf_strbuf text = mdf_strbuf_new((size_t)MDF_MAX_PATTERN_BYTES + 32);
    mdf_strbuf_printf(&text, "(.*\\.)?(%s)$", key);
    const mdf_status status = compile(m, &k->code, key, &text, err);
    mdf_strbuf_free(&text);
    m->count += status == MDF_OK ? 1 : 0;
    return status;
}

static mdf_status matches(const mdf_module_map *m, const module_key *k, const char *module,
                          bool *out, mdf_error *err)
{
    const int found = pcre2_match(k->code, (PCRE2_SPTR)module, strlen(module), 0, PCRE2_ANCHORED,
                                  m->data, m->match);
    *out = found >= 0;
    if (found >= 0 || found == PCRE2_ERROR_NOMATCH) {
        return MDF_OK;
    }
    return found == PCRE2_ERROR_NOMEMORY
               ? no_memory(m, err)
               : mdf_fail(err, MDF_ERR_LIMIT, "%s: %s: \"%.100s\" takes too long on \"%.100s\"",
                          m->path, m->setting, k->text, module);
}

mdf_status mdf_module_map_find(mdf_module_map *m, const char *module, double *value, mdf_error *err)
{
    bool found = false;
    for (size_t i = 0; i < m->count; i++) {
        module_key *k = &m->item[i];
        bool fits = false;
        if (!found || !k->used) {
            MDF_TRY(matches(m, k, module, &fits, err));
        }
        if (fits && !found) {
            *value = k->value;
            found = true;
        }
        k->used = k->used || fits;
    }
    return MDF_OK;
}

mdf_status mdf_module_map_check_used(const mdf_module_map *m, mdf_error *err)
{
    for (size_t i = 0; i < m->count; i++) {
        if (!m->item[i].used) {
            return mdf_fail(err, MDF_ERR_FORMAT, "%s: %s: \"%.120s\" matches no module", m->path,
                            m->setting, m->item[i].text);
        }
    }
    return MDF_OK;
}
