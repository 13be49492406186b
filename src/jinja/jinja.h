/* Chat templates in Jinja, rendered as transformers renders them: jinja2's
 * ImmutableSandboxedEnvironment with trim_blocks, lstrip_blocks, break and continue,
 * raise_exception, strftime_now and its tojson.
 *
 *     mdf_jinja *t = NULL;
 *     MDF_TRY(mdf_jinja_compile(&t, "chat_template.jinja", text, len, err));
 *     json_t *root = json_pack("{s:o, s:b}", "messages", messages, "add_generation_prompt", 1);
 *     mdf_strbuf out = mdf_strbuf_new(MDF_MAX_CHAT_BYTES);
 *     status = mdf_jinja_render(t, root, NULL, &out, err);
 *
 * A template is not trusted: its size, depth, steps, memory and text have limits (base/limits.h),
 * and it reaches nothing but its variables. docs/MODEL.md section 5 says what differs from jinja2.
 */
#ifndef MDF_JINJA_JINJA_H
#define MDF_JINJA_JINJA_H

#include <jansson.h>
#include <time.h>

#include "base/strbuf.h"

typedef struct mdf_jtemplate mdf_jinja;

/* A zeroed struct means every default. */
typedef struct mdf_jinja_options {
    const struct tm *now; /* of strftime_now: day, month, year, hour, minute, second count; NULL:
                             the local time */
} mdf_jinja_options;

/* name is for sentences, which read "NAME: line N: ...". MDF_ERR_FORMAT: no UTF-8, a wrong syntax,
 * a tag, filter or test that is not known. MDF_ERR_LIMIT: larger or deeper than the limits. The
 * caller owns *out: mdf_jinja_free(). The same template may be rendered by several threads. */
mdf_status mdf_jinja_compile(mdf_jinja **out, const char *name, const char *text, size_t len,
                             mdf_error *err) MDF_NODISCARD;
void mdf_jinja_free(mdf_jinja *t); /* NULL is allowed */

/* Appends to out what the template writes. root: an object, its members are the variables; opt may
 * be NULL. MDF_ERR_ARG: the template refuses (raise_exception). MDF_ERR_FORMAT: something that
 * Python would not do either. MDF_ERR_LIMIT: more steps, memory or text than the limits. On failure
 * part of the text may be in out. */
mdf_status mdf_jinja_render(const mdf_jinja *t, const json_t *root, const mdf_jinja_options *opt,
                            mdf_strbuf *out, mdf_error *err) MDF_NODISCARD;

#endif
