/* Methods of strings that are written apart from the others, or used by filters too. */
#ifndef MDF_JINJA_METHODS_H
#define MDF_JINJA_METHODS_H

#include "jinja/jinja_builtin.h"

/* v is a STRING; arguments as in Python. */
mdf_status mdf_jtext_split(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out);
mdf_status mdf_jtext_rsplit(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out);
mdf_status mdf_jtext_splitlines(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out);
mdf_status mdf_jtext_partition(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out);
mdf_status mdf_jtext_rpartition(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out);
mdf_status mdf_jtext_replace(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out);

#endif
