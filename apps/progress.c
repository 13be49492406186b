#include "progress.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define BAR_CELLS         24
#define REDRAW_SECONDS    0.1
#define LINE_SECONDS      10.0
#define MAX_SHOWN_SECONDS (99.0 * 3600.0)

void app_progress_duration(double seconds, char *text, size_t text_bytes)
{
    const double shown = seconds > MAX_SHOWN_SECONDS ? MAX_SHOWN_SECONDS : seconds;
    const long s = lround(shown < 0.0 ? 0.0 : shown);
    if (s >= 3600) {
        (void)snprintf(text, text_bytes, "%ldh%02ldm", s / 3600, s / 60 % 60);
    } else if (s >= 60) {
        (void)snprintf(text, text_bytes, "%ldm%02lds", s / 60, s % 60);
    } else {
        (void)snprintf(text, text_bytes, "%lds", s);
    }
}

void app_progress_start(app_progress *p, const char *label, bool quiet)
{
    const double now = mdf_clock_seconds();
    *p = (app_progress){.label = label,
                        .enabled = !quiet,
                        .is_terminal = isatty(STDERR_FILENO) == 1,
                        .started = now,
                        .last_drawn = now};
}

/* "412/900  loss 0.532  81 images/s  2m10s left" */
static void describe(const app_progress *p, const app_progress_state *s, char *text, size_t bytes)
{
    const double elapsed = mdf_clock_seconds() - p->started;
    const size_t steps = s->done - p->first_done;
    int n = snprintf(text, bytes, "%zu/%zu", s->done, s->total);
    if (isfinite(s->loss) && n >= 0 && (size_t)n < bytes) {
        n += snprintf(text + n, bytes - (size_t)n, "  loss %.4f", s->loss);
    }
    if (s->images > 0 && elapsed > 0.0 && (size_t)n < bytes) {
        n += snprintf(text + n, bytes - (size_t)n, "  %.1f images/s", (double)s->images / elapsed);
    }
    if (steps > 0 && s->done < s->total && (size_t)n < bytes) {
        char left[32];
        app_progress_duration(elapsed * (double)(s->total - s->done) / (double)steps, left,
                              sizeof left);
        (void)snprintf(text + n, bytes - (size_t)n, "  %s left", left);
    }
}

static void draw_bar(const app_progress *p, double share, const char *text)
{
    char bar[BAR_CELLS + 1];
    const size_t filled = (size_t)((share < 1 ? share : 1) * BAR_CELLS);
    for (size_t i = 0; i < BAR_CELLS; i++) {
        bar[i] = i < filled ? '=' : ' ';
    }
    bar[BAR_CELLS] = '\0';
    (void)fprintf(stderr, "\r\033[K%s [%s] %s", p->label, bar, text);
    (void)fflush(stderr);
}

/* Is it time to draw again? */
static bool is_due(app_progress *p)
{
    const double now = mdf_clock_seconds();
    if (!p->enabled || now - p->last_drawn < (p->is_terminal ? REDRAW_SECONDS : LINE_SECONDS)) {
        return false;
    }
    p->last_drawn = now;
    return true;
}

static void show(app_progress *p, double share, const char *text)
{
    if (p->is_terminal) {
        draw_bar(p, share, text);
        p->drawn = true;
    } else {
        (void)fprintf(stderr, "%s %s\n", p->label, text);
    }
}

void app_progress_update(app_progress *p, const app_progress_state *state)
{
    if (!p->enabled) {
        return;
    }
    if (!p->has_first) {
        p->first_done = state->done > 0 ? state->done - 1 : 0;
        p->has_first = true;
    }
    if (is_due(p)) {
        char text[160];
        describe(p, state, text, sizeof text);
        show(p, state->total > 0 ? (double)state->done / (double)state->total : 0, text);
    }
}

void app_progress_size(uint64_t bytes, char *text, size_t text_bytes)
{
    static const char *const unit[] = {"kB", "MB", "GB", "TB"};
    double x = (double)bytes / 1000;
    size_t i = 0;
    if (bytes < 1000) {
        (void)snprintf(text, text_bytes, "%d B", (int)bytes);
        return;
    }
    for (; x >= 999.995 && i + 1 < sizeof unit / sizeof unit[0]; i++) {
        x /= 1000;
    }
    (void)snprintf(text, text_bytes, "%.2f %s", x, unit[i]);
}

void app_progress_bytes(app_progress *p, uint64_t done, uint64_t total, uint64_t moved)
{
    if (!is_due(p)) {
        return;
    }
    char text[160];
    char have[32];
    char all[32];
    char rate[32];
    const double elapsed = mdf_clock_seconds() - p->started;
    const double per_second = elapsed > 0 ? (double)moved / elapsed : 0;
    app_progress_size(done, have, sizeof have);
    app_progress_size(total, all, sizeof all);
    app_progress_size((uint64_t)per_second, rate, sizeof rate);
    int n = snprintf(text, sizeof text, "%s of %s  %s/s", have, all, rate);
    if (per_second > 0 && done < total && n > 0 && (size_t)n < sizeof text) {
        char left[32];
        app_progress_duration((double)(total - done) / per_second, left, sizeof left);
        (void)snprintf(text + n, sizeof text - (size_t)n, "  %s left", left);
    }
    show(p, total > 0 ? (double)done / (double)total : 0, text);
}

void app_progress_finish(app_progress *p)
{
    if (p->drawn) {
        (void)fputs("\r\033[K", stderr);
        p->drawn = false;
    }
}
