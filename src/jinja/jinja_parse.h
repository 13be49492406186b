/* A template's text -> its tree. */
#ifndef MDF_JINJA_PARSE_H
#define MDF_JINJA_PARSE_H

#include "jinja/jinja_node.h"

/* Fills t->body; t->arena must be there. Sentences begin with "line N: ". */
mdf_status mdf_jinja_parse(mdf_jtemplate *t, const char *text, size_t len,
                           mdf_error *err) MDF_NODISCARD;

/* Filters and tests that are not known, trees that are too deep. */
mdf_status mdf_jinja_check(const mdf_jtemplate *t, mdf_error *err) MDF_NODISCARD;

#endif
