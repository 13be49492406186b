/* A clinical text sentence by sentence.
 *
 * A sentence ends behind '.', '!', '?' or ';' where a blank or the end of the text follows, and at
 * a line break; so "1.5 mm" stays whole and "Dr. Smith" does not. Blanks are those of ASCII.
 *
 *     mdf_sentence s = {0};
 *     while (mdf_sentence_next(&s, text, len)) {
 *         use(text + s.begin, s.len);
 *     } */
#ifndef MDF_DATA_SENTENCE_H
#define MDF_DATA_SENTENCE_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed before the first. */
typedef struct mdf_sentence {
    size_t begin, len; /* with its stop, without the blanks around it; never empty */
    size_t next;       /* behind the blanks that follow it, where the next one begins */
} mdf_sentence;

/* The sentence at s->next. False: there is none, and *s is unchanged. */
bool mdf_sentence_next(mdf_sentence *s, const char *text, size_t len);

/* Does this sentence go? */
typedef bool mdf_sentence_goes(void *user, const char *sentence, size_t len);

/* What is left of text when sentences go, to out [len] (which may be text): the others with the
 * blanks behind them, as they stand. Blanks at the end go too, once a sentence has gone. Asks about
 * every sentence once, in order. Returns the bytes that are left. */
size_t mdf_sentence_drop(char *out, const char *text, size_t len, mdf_sentence_goes *goes,
                         void *user);

#endif
