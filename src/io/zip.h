/* zip archives: the shell of torch's files. Only entries that are stored as they are can be used.
 *
 *     mdf_zip z;
 *     MDF_TRY(mdf_zip_parse(&z, map.data, map.len, path, err));
 *     const mdf_zip_entry *e = mdf_zip_find(&z, "archive/data.pkl");
 *     ... e is not NULL: MDF_TRY(mdf_zip_check_stored(e, path, err)); e->data [e->bytes]
 *     mdf_zip_close(&z);
 *
 * What is read is the central directory (zip64 included); every entry's own header must agree with
 * it. Parsing proves that entries lie before the directory and that none overlap. Checksums are not
 * compared: torch can be told to write none. */
#ifndef MDF_IO_ZIP_H
#define MDF_IO_ZIP_H

#include "base/arena.h"

typedef struct mdf_zip_entry {
    const char *name;    /* whole path inside of the archive; never empty */
    const uint8_t *data; /* [bytes] in the caller's bytes */
    size_t bytes;
    int method; /* of compression; 0: none */
} mdf_zip_entry;

typedef struct mdf_zip {
    mdf_zip_entry *entry; /* [count], sorted by name; no name is there twice */
    size_t count;
    const char *first; /* the name of the directory's first entry; NULL: there is none */
    mdf_arena arena;   /* all of the above */
} mdf_zip;

/* bytes [len] stay the caller's and must outlive the object; name stands in errors. On failure
 * there is nothing to close. Errors: FORMAT, LIMIT, NOMEM. */
mdf_status mdf_zip_parse(mdf_zip *z, const void *bytes, size_t len, const char *name,
                         mdf_error *err) MDF_NODISCARD;
void mdf_zip_close(mdf_zip *z);

const mdf_zip_entry *mdf_zip_find(const mdf_zip *z, const char *name); /* or NULL */

/* MDF_ERR_FORMAT with the entry's name, if e is compressed; archive stands in the error. */
mdf_status mdf_zip_check_stored(const mdf_zip_entry *e, const char *archive,
                                mdf_error *err) MDF_NODISCARD;

#endif
