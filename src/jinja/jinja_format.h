/* Formatting: str.format and the operator %. */
#ifndef MDF_JINJA_FORMAT_H
#define MDF_JINJA_FORMAT_H

#include "jinja/jinja_builtin.h"

/* "{}", "{0}" and "{name}". */
mdf_status mdf_jtext_format(mdf_jvm *m, const mdf_jval *v, const mdf_jargs *args, mdf_jval *out);

/* "%s", "%d", "%i", "%r" and "%%". */
mdf_status mdf_jtext_percent(mdf_jvm *m, const mdf_jval *v, const mdf_jargs *args, mdf_jval *out);

#endif
