/* A PNG that says which program wrote it, so that a later run may replace it (apps/outputs.h). */
#ifndef MDF_REPORT_PNG_MARK_H
#define MDF_REPORT_PNG_MARK_H

#include "base/strbuf.h"

/* Appends a whole PNG with the name of the program among its first chunks. Check out->failed. */
void mdf_png_mark(mdf_strbuf *out, const void *png, size_t len);

#endif
