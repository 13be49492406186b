/* The small files of a model that is made of GGUF files. Only import_gguf.c uses it. */
#ifndef MDF_ENGINE_IMPORT_GGUF_FILES_H
#define MDF_ENGINE_IMPORT_GGUF_FILES_H

#include "base/strbuf.h"
#include "io/gguf.h"
#include "nn/config.h"

enum { MDF_IMPORT_FILES = 5 };

typedef struct mdf_import_files {
    mdf_strbuf text[MDF_IMPORT_FILES]; /* empty: not written */
    bool added[MDF_IMPORT_FILES];      /* was written, and nothing was there before */
} mdf_import_files;

/* Makes the texts; remark as in import_gguf.h. Freed in any case. */
mdf_status mdf_import_files_make(mdf_import_files *out, const mdf_gguf_files *f,
                                 const mdf_config *c, mdf_error *remark,
                                 mdf_error *err) MDF_NODISCARD;
void mdf_import_files_free(mdf_import_files *t);

/* Writes them into the folder; drop takes away again what was added. */
mdf_status mdf_import_files_write(mdf_import_files *t, const char *dir,
                                  mdf_error *err) MDF_NODISCARD;
void mdf_import_files_drop(const mdf_import_files *t, const char *dir);

#endif
