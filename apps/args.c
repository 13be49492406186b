/* The parser of the option tables in args.h. */
#include "args.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/nearest.h"
#include "base/status.h"

#define MAX_NAME 48 /* longest option or command name that is compared */

typedef struct parser {
    const arg_spec *spec;
    char *flags;
    char *shared;
    int argc;
    char **argv;
    int next; /* the argument after the current one */
    mdf_error *err;
} parser;

/* An option and the struct that its offset counts from. */
typedef struct target {
    const arg_option *option;
    char *base;
} target;

int arg_nearest(const char *word, const char *const *names, size_t count)
{
    int best = -1;
    int best_distance = (int)(strlen(word) / 3) + 2; /* farther is another word, not a slip */
    for (size_t i = 0; i < count; i++) {
        const int distance = mdf_edit_distance(word, names[i]);
        if (distance < best_distance) {
            best_distance = distance;
            best = (int)i;
        }
    }
    return best;
}

static target option_at(const parser *p, size_t i)
{
    const arg_spec *s = p->spec;
    return i < s->option_count ? (target){&s->option[i], p->flags}
                               : (target){&s->shared[i - s->option_count], p->shared};
}

static size_t option_count(const parser *p)
{
    return p->spec->option_count + p->spec->shared_count;
}

static target find_long(const parser *p, const char *name, size_t len)
{
    for (size_t i = 0; i < option_count(p); i++) {
        const target t = option_at(p, i);
        if (strlen(t.option->name) == len && memcmp(t.option->name, name, len) == 0) {
            return t;
        }
    }
    return (target){NULL, NULL};
}

static target find_letter(const parser *p, char letter)
{
    for (size_t i = 0; i < option_count(p); i++) {
        const target t = option_at(p, i);
        if (t.option->letter == letter) {
            return t;
        }
    }
    return (target){NULL, NULL};
}

static mdf_status unknown_long(const parser *p, const char *name, size_t len)
{
    char word[MAX_NAME + 1];
    const char *names[64];
    size_t count = 0;
    for (; count < option_count(p) && count < sizeof names / sizeof *names; count++) {
        names[count] = option_at(p, count).option->name;
    }
    const size_t n = len < MAX_NAME ? len : MAX_NAME;
    memcpy(word, name, n);
    word[n] = '\0';
    const int near = arg_nearest(word, names, count);
    if (near >= 0) {
        return mdf_fail(p->err, MDF_ERR_ARG, "unknown option '--%s', did you mean '--%s'?", word,
                        names[near]);
    }
    return mdf_fail(p->err, MDF_ERR_ARG, "unknown option '--%s'", word);
}

static mdf_status bad_value(const parser *p, const arg_option *o, const char *text,
                            const char *kind)
{
    if (o->min < o->max) {
        return mdf_fail(p->err, MDF_ERR_ARG, "--%s wants %s from %g to %g, not '%s'", o->name, kind,
                        o->min, o->max, text);
    }
    return mdf_fail(p->err, MDF_ERR_ARG, "--%s wants %s, not '%s'", o->name, kind, text);
}

static bool in_range(const arg_option *o, double x)
{
    return o->min >= o->max || (x >= o->min && x <= o->max);
}

static mdf_status set_int(const parser *p, target t, const char *text)
{
    char *end = NULL;
    errno = 0;
    const long long x = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || !in_range(t.option, (double)x)) {
        return bad_value(p, t.option, text, "a whole number");
    }
    *(int64_t *)(void *)(t.base + t.option->offset) = x;
    return MDF_OK;
}

static mdf_status set_double(const parser *p, target t, const char *text)
{
    char *end = NULL;
    errno = 0;
    const double x = strtod(text, &end);
    if (end == text || *end != '\0' || errno != 0 || !isfinite(x) || !in_range(t.option, x)) {
        return bad_value(p, t.option, text, "a number");
    }
    *(double *)(void *)(t.base + t.option->offset) = x;
    return MDF_OK;
}

/* A list never holds more than argc items, so its first use reserves that many. */
static mdf_status list_add(const parser *p, arg_list *list, const char *text)
{
    if (list->item == NULL) {
        list->item = mdf_alloc((size_t)p->argc + 1, sizeof *list->item);
        if (list->item == NULL) {
            return mdf_fail(p->err, MDF_ERR_NOMEM, "no memory for the arguments");
        }
    }
    list->item[list->count++] = text;
    return MDF_OK;
}

static mdf_status set_value(const parser *p, target t, const char *text)
{
    void *slot = t.base + t.option->offset;
    switch (t.option->kind) {
    case ARG_FLAG:
        *(bool *)slot = true;
        return MDF_OK;
    case ARG_STRING:
        if (*text == '\0') {
            return mdf_fail(p->err, MDF_ERR_ARG, "--%s wants %s, not an empty string",
                            t.option->name, t.option->metavar);
        }
        *(const char **)slot = text;
        return MDF_OK;
    case ARG_INT:
        return set_int(p, t, text);
    case ARG_DOUBLE:
        return set_double(p, t, text);
    case ARG_LIST:
        return list_add(p, slot, text);
    }
    return MDF_OK;
}

/* The value that follows an option. Another option in its place is a forgotten value. */
static mdf_status take_value(parser *p, const arg_option *o, const char **text)
{
    const char *next = p->next < p->argc ? p->argv[p->next] : NULL;
    const bool is_option = next != NULL && strncmp(next, "--", 2) == 0 &&
                           find_long(p, next + 2, strcspn(next + 2, "=")).option != NULL;
    if (next == NULL || is_option) {
        return mdf_fail(p->err, MDF_ERR_ARG, "--%s needs a value: --%s %s", o->name, o->name,
                        o->metavar);
    }
    *text = next;
    p->next++;
    return MDF_OK;
}

/* A value of the user, not a default. */
static mdf_status set_given(const parser *p, target t, const char *text)
{
    if (t.option->given_offset != 0) {
        *(bool *)(t.base + t.option->given_offset) = true;
    }
    return set_value(p, t, text);
}

/* --name, --name value, --name=value */
static mdf_status parse_long(parser *p, const char *arg)
{
    const size_t len = strcspn(arg, "=");
    const target t = find_long(p, arg, len);
    const char *text = arg[len] == '=' ? arg + len + 1 : NULL;
    if (t.option == NULL) {
        return unknown_long(p, arg, len);
    }
    if (t.option->kind == ARG_FLAG && text != NULL) {
        return mdf_fail(p->err, MDF_ERR_ARG, "--%s takes no value", t.option->name);
    }
    if (t.option->kind != ARG_FLAG && text == NULL) {
        MDF_TRY(take_value(p, t.option, &text));
    }
    return set_given(p, t, text);
}

/* -q, -qj, -t 2, -t2 */
static mdf_status parse_letters(parser *p, const char *arg)
{
    for (; *arg != '\0'; arg++) {
        const target t = find_letter(p, *arg);
        if (t.option == NULL) {
            return mdf_fail(p->err, MDF_ERR_ARG, "unknown option '-%c'", *arg);
        }
        if (t.option->kind != ARG_FLAG) {
            const char *text = arg + 1;
            if (*text == '\0') {
                MDF_TRY(take_value(p, t.option, &text));
            }
            return set_given(p, t, text);
        }
        MDF_TRY(set_given(p, t, NULL));
    }
    return MDF_OK;
}

static mdf_status parse_all(parser *p, arg_list *operands)
{
    bool options_ended = false;
    while (p->next < p->argc) {
        const char *arg = p->argv[p->next++];
        if (options_ended || arg[0] != '-' || arg[1] == '\0') {
            if (operands->count >= p->spec->operand.max) {
                return mdf_fail(p->err, MDF_ERR_ARG, "unexpected argument '%s'", arg);
            }
            MDF_TRY(list_add(p, operands, arg));
        } else if (strcmp(arg, "--") == 0) {
            options_ended = true;
        } else if (arg[1] == '-') {
            MDF_TRY(parse_long(p, arg + 2));
        } else {
            MDF_TRY(parse_letters(p, arg + 1));
        }
    }
    return MDF_OK;
}

static mdf_status set_defaults(const parser *p)
{
    for (size_t i = 0; i < option_count(p); i++) {
        const target t = option_at(p, i);
        if (t.option->fallback != NULL) {
            MDF_TRY(set_value(p, t, t.option->fallback));
        }
    }
    return MDF_OK;
}

static bool is_missing(target t)
{
    const void *slot = t.base + t.option->offset;
    return t.option->kind == ARG_LIST ? ((const arg_list *)slot)->count == 0
                                      : *(const char *const *)slot == NULL;
}

static mdf_status check_required(const parser *p, const arg_list *operands)
{
    for (size_t i = 0; i < option_count(p); i++) {
        const target t = option_at(p, i);
        if (t.option->required && is_missing(t)) {
            return mdf_fail(p->err, MDF_ERR_ARG, "--%s %s is missing", t.option->name,
                            t.option->metavar);
        }
    }
    if (operands->count < p->spec->operand.min) {
        return mdf_fail(p->err, MDF_ERR_ARG, "%s is missing", p->spec->operand.metavar);
    }
    return MDF_OK;
}

mdf_status arg_parse(const arg_spec *spec, int argc, char **argv, void *flags, size_t flags_bytes,
                     void *shared, size_t shared_bytes, arg_list *operands, mdf_error *err)
{
    parser p = {
        .spec = spec, .flags = flags, .shared = shared, .argc = argc, .argv = argv, .err = err};
    memset(shared, 0, shared_bytes);
    memset(operands, 0, sizeof *operands);
    if (flags_bytes > 0) {
        memset(flags, 0, flags_bytes);
    }
    MDF_TRY(set_defaults(&p));
    MDF_TRY(parse_all(&p, operands));
    return check_required(&p, operands);
}

static void release_lists(const arg_option *option, size_t count, char *base)
{
    for (size_t i = 0; i < count; i++) {
        if (option[i].kind == ARG_LIST) {
            arg_list *list = (arg_list *)(void *)(base + option[i].offset);
            mdf_free(list->item);
            *list = (arg_list){0};
        }
    }
}

void arg_release(const arg_spec *spec, void *flags, void *shared, arg_list *operands)
{
    release_lists(spec->option, spec->option_count, flags);
    release_lists(spec->shared, spec->shared_count, shared);
    mdf_free(operands->item);
    *operands = (arg_list){0};
}
