/* TensorBoard event files with scalars: TFRecord framing (length, masked CRC-32C, data, masked
 * CRC-32C) around hand-written protobuf messages (tensorflow/core/util/event.proto). */
#ifndef MDF_IO_TFEVENTS_H
#define MDF_IO_TFEVENTS_H

#include <stdio.h>

#include "base/status.h"

enum { MDF_TFEVENTS_MAX_TAG = 256 };

typedef struct mdf_tfevents {
    FILE *stream; /* NULL when closed */
    char *path;
} mdf_tfevents;

/* Makes dir/events.out.tfevents.<seconds>.<pid>.mdf; TensorBoard reads all files of a folder, so a
 * resumed run starts another one and purges what it repeats: first_step > 0 writes a session marker
 * that drops older events from that step on. */
mdf_status mdf_tfevents_open(mdf_tfevents *t, const char *dir, int64_t first_step,
                             mdf_error *err) MDF_NODISCARD;

/* One number of one step; flushed. A tag longer than MDF_TFEVENTS_MAX_TAG is MDF_ERR_LIMIT. */
mdf_status mdf_tfevents_scalar(mdf_tfevents *t, const char *tag, int64_t step, double value,
                               mdf_error *err) MDF_NODISCARD;

void mdf_tfevents_close(mdf_tfevents *t); /* a closed one is fine */

/* CRC-32C (Castagnoli), as in RFC 3720. */
uint32_t mdf_crc32c(const uint8_t *data, size_t len);

#endif
