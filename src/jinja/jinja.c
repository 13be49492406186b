/* The face of the interpreter: compile, render, free. */
#include "jinja/jinja.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "jinja/jinja_eval.h"
#include "jinja/jinja_parse.h"

static mdf_status compile(mdf_jtemplate *t, const char *name, const char *text, size_t len,
                          mdf_error *err)
{
    MDF_TRY(mdf_arena_init(&t->arena, 0, 0, err));
    t->name = mdf_arena_strndup(&t->arena, name, strlen(name));
    if (t->name == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory");
    }
    if (len > MDF_MAX_JINJA_BYTES) {
        return mdf_fail(err, MDF_ERR_LIMIT, "the template is longer than the limit of %zu bytes",
                        MDF_MAX_JINJA_BYTES);
    }
    const size_t good = mdf_utf8_check((const uint8_t *)text, len);
    if (good < len) {
        return mdf_fail_at(err, MDF_ERR_FORMAT, good, "the template is not UTF-8 (byte %zu)", good);
    }
    return mdf_jinja_parse(t, text, len, err);
}

mdf_status mdf_jinja_compile(mdf_jinja **out, const char *name, const char *text, size_t len,
                             mdf_error *err)
{
    *out = NULL;
    mdf_jtemplate *t = mdf_alloc(1, sizeof *t);
    if (t == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory");
    }
    const mdf_status status = compile(t, name, text, len, err);
    if (status != MDF_OK) {
        mdf_jinja_free(t);
        return mdf_fail_prefix(err, status, name);
    }
    *out = t;
    return MDF_OK;
}

void mdf_jinja_free(mdf_jinja *t)
{
    if (t != NULL) {
        mdf_arena_free(&t->arena);
        mdf_free(t);
    }
}

/* Only the variables whose name the template has. */
static mdf_status set_variables(mdf_jvm *m, mdf_jscope *s, const json_t *root)
{
    json_t *object = (json_t *)(uintptr_t)root; /* jansson's iterators want it writable */
    for (void *i = json_object_iter(object); i != NULL; i = json_object_iter_next(object, i)) {
        const char *key = json_object_iter_key(i);
        const mdf_jname *name = mdf_jtemplate_name(m->tmpl, key, strlen(key));
        if (name != NULL) {
            mdf_jval v = mdf_jval_none();
            MDF_TRY(mdf_jval_json(m, json_object_iter_value(i), &v));
            MDF_TRY(mdf_jscope_set(m, s, name, &v));
        }
    }
    return MDF_OK;
}

static mdf_status render(mdf_jvm *m, const json_t *root)
{
    mdf_jscope *s = NULL;
    MDF_TRY(mdf_jscope_new(m, NULL, &s));
    MDF_TRY(set_variables(m, s, root));
    m->line = 1;
    return mdf_jexec(m, s, m->tmpl->body);
}

mdf_status mdf_jinja_render(const mdf_jinja *t, const json_t *root, const mdf_jinja_options *opt,
                            mdf_strbuf *out, mdf_error *err)
{
    mdf_error local = {0};
    mdf_jvm m = {.out = out,
                 .err = err != NULL ? err : &local,
                 .now = opt != NULL ? opt->now : NULL,
                 .tmpl = t};
    MDF_TRY(mdf_arena_init(&m.arena, 0, MDF_MAX_JINJA_ARENA, err));
    mdf_status status = render(&m, root);
    mdf_arena_free(&m.arena);
    if (status != MDF_OK) {
        char where[32];
        (void)snprintf(where, sizeof where, "line %u", m.line);
        status = mdf_fail_prefix(m.err, status, where);
        status = mdf_fail_prefix(m.err, status, t->name);
    }
    return status;
}
