/* A progress line on stderr: a bar that redraws itself on a terminal, a line about every ten
 * seconds elsewhere, nothing with --quiet. */
#ifndef MDF_APPS_PROGRESS_H
#define MDF_APPS_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct app_progress {
    const char *label; /* borrowed, e.g. "train" */
    bool enabled;      /* false with --quiet */
    bool is_terminal;  /* redraw in place */
    bool drawn;        /* a bar stands on the current line */
    double started;    /* monotonic seconds */
    double last_drawn; /* monotonic seconds */
    size_t first_done; /* done at the first update: a resumed run starts above 0 */
    bool has_first;
} app_progress;

/* What to show. loss: NAN = do not show. images: done since the start of this run, 0 = no rate. */
typedef struct app_progress_state {
    size_t done, total;
    size_t images;
    double loss;
} app_progress_state;

void app_progress_start(app_progress *p, const char *label, bool quiet);
void app_progress_update(app_progress *p, const app_progress_state *state);

/* The same for a transfer: "1.20 GB of 21.30 GB  35.20 MB/s  9m31s left". moved: bytes that went
 * over the network since the start, which the rate is of. */
void app_progress_bytes(app_progress *p, uint64_t done, uint64_t total, uint64_t moved);

/* "812 B", "1.50 MB", "21.30 GB" into text. */
void app_progress_size(uint64_t bytes, char *text, size_t text_bytes);

/* Clears the bar, so that the next line of talk starts at the left. */
void app_progress_finish(app_progress *p);

/* "1h02m", "3m07s", "12s" into text. */
void app_progress_duration(double seconds, char *text, size_t text_bytes);

#endif
