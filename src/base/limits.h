/* Every limit of the library, with its reason. Exceeding one is MDF_ERR_LIMIT, never a clamp. */
#ifndef MDF_BASE_LIMITS_H
#define MDF_BASE_LIMITS_H

#define MDF_MAX_IMAGE_BYTES  ((size_t)256 << 20) /* a 100 MP TIFF still fits */
#define MDF_MAX_IMAGE_PIXELS ((size_t)200000000) /* decode bombs: 600 MB as RGB */
#define MDF_MAX_IMAGE_SIDE   50000               /* keeps side * side inside int32 sums */
#define MDF_MAX_TEXT_BYTES   8192                /* a long clinical note; keeps attention bounded */
#define MDF_MAX_CONFIG_BYTES ((size_t)1 << 20)   /* a config is a page of text */
#define MDF_MAX_TABLE_BYTES  ((size_t)256 << 20) /* metadata.csv of a million rows */
#define MDF_MAX_CASES        10000000            /* rows of all data sets together */
#define MDF_MAX_PHOTOS       16                  /* of one question: 64 tiles of 560 are 240 MB */
#define MDF_MAX_CLASSES      256                 /* labels of one task */
#define MDF_MAX_MASKS        8                   /* kinds of masks that one model draws */
#define MDF_MAX_LABEL_BYTES  128                 /* one label's words */
#define MDF_MAX_FOLDER_DEPTH 16                  /* folders below a data set: links may loop */
#define MDF_MAX_RANK         6                   /* [B, M, T, P, D] and one to spare */
#define MDF_MAX_TENSORS      100000              /* a 90B model has 1,494 */
#define MDF_MAX_HEADER_BYTES                                                                       \
    ((size_t)100 << 20)           /* safetensors header, as in the reference reader */
#define MDF_MAX_GGUF_VALUES 65536 /* keys of a GGUF file; released ones have about 40 */
#define MDF_MAX_LAYERS      256   /* a 90B model has 100 */
#define MDF_MAX_TOKENS      16384 /* packed text tokens of one batch */
#define MDF_MAX_TREE        4096  /* nodes of the labels' tree: its mask is their square, 16 MiB */
#define MDF_MAX_THREADS     1024

#define MDF_SIGNATURE       8    /* numbers of a picture's signature (photo/signature.h) */
#define MDF_MAX_SIGNATURES  512  /* pictures that a model remembers: 30 kB of its config.json */
#define MDF_MAX_TRUTHS      2048 /* probabilities of true labels that it remembers: as much */
#define MDF_MAX_LABEL_TRUTH 200  /* of one label: coverages have steps of half a percent then */

#define MDF_MAX_ZIP_ENTRIES   200000             /* a torch file has one per storage and few more */
#define MDF_MAX_PICKLE_BYTES  ((size_t)64 << 20) /* of 100,000 tensors: 30 MB */
#define MDF_MAX_PICKLE_VALUES 4194304            /* a tensor takes about 20 */

#define MDF_MAX_LIST_BYTES   ((size_t)32 << 20) /* a page of a hub's list: 1,000 files are 300 KB */
#define MDF_MAX_LIST_FILES   100000             /* files of one repository */
#define MDF_MAX_LIST_PATH    1024               /* bytes of a path in it */
#define MDF_MAX_FETCH_BYTES  ((uint64_t)1 << 41) /* one file from a hub: 2 TiB */
#define MDF_MAX_SECRET_BYTES 4096                /* an access token */
#define MDF_MAX_ADDRESS      2048                /* bytes of what a user gives as a repository */

#define MDF_MAX_MODULE_KEYS 4096 /* patterns of an adapter; a 90B model has 700 matrices */

#define MDF_MAX_TOKENIZER_BYTES                                                                    \
    ((size_t)256 << 20)                          /* tokenizer.json of 128,257 tokens has 17 MB     \
                                                  */
#define MDF_MAX_VOCAB         ((size_t)1 << 20)  /* four times the largest vocabulary known */
#define MDF_MAX_MERGES        ((size_t)1 << 22)  /* Llama 3 has 280,147 */
#define MDF_MAX_TOKEN_BYTES   1024               /* of one token; Llama 3's longest has 128 */
#define MDF_MAX_ADDED_TOKENS  8192               /* special tokens; Llama 3 has 257 */
#define MDF_MAX_PRE_STEPS     8                  /* pre-tokenizers in a row */
#define MDF_MAX_PATTERN_BYTES 4096               /* a regular expression of a tokenizer, adapter */
#define MDF_MAX_MARKS         256                /* combining marks in a row; no script has 30 */
#define MDF_MAX_ENCODE_BYTES  ((size_t)64 << 20) /* one text: positions fit int32 many times */
#define MDF_MAX_CHAT_BYTES    ((size_t)4 << 20)  /* a rendered chat */

#define MDF_MAX_JINJA_BYTES  ((size_t)1 << 20) /* a chat template; the longest known has 30 KB */
#define MDF_MAX_JINJA_TOKENS 400000            /* words of one */
#define MDF_MAX_JINJA_NODES  100000            /* nodes of its tree */
#define MDF_MAX_JINJA_DEPTH  500       /* nesting of expressions, statements, calls, values */
#define MDF_MAX_JINJA_STEPS  (1 << 21) /* of a rendering: one takes about 0.1 us */
#define MDF_MAX_JINJA_ARENA                                                                        \
    ((size_t)128 << 20)             /* values of a rendering, nothing is freed in it               \
                                     */
#define MDF_MAX_JINJA_RANGE  100000 /* numbers of range(), as in jinja2's sandbox */
#define MDF_MAX_JINJA_INDENT 64     /* columns of the filters indent and tojson */
#define MDF_MAX_JINJA_PATH   16     /* parts of an attribute such as "a.b.c" */

#endif
