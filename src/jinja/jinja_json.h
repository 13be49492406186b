/* tojson as transformers defines it: json.dumps with its arguments. */
#ifndef MDF_JINJA_JSON_H
#define MDF_JINJA_JSON_H

#include "jinja/jinja_value.h"

typedef struct mdf_jjson {
    bool ascii, sort_keys;
    bool indented;       /* else everything is on one line */
    const char *indent;  /* of one level, when indented */
    size_t indent_bytes; /* at most MDF_MAX_JINJA_INDENT */
    mdf_jval item, pair; /* separators: ", " and ": " */
} mdf_jjson;

mdf_status mdf_jval_dump(mdf_jvm *m, const mdf_jval *v, const mdf_jjson *how,
                         mdf_jval *out) MDF_NODISCARD;

#endif
