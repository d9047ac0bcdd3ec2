/*
 * -blockdev: nodes described one by one, as key=value pairs or a JSON object.
 *
 * A JSON object becomes the same dotted pairs ("file.filename"); a null or an empty string for a
 * child means none. Children are nodes named before, or described in place.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "block/options.h"

#include <json-glib/json-glib.h>
#include <string.h>

#include "block/backend-int.h"

static GHashTable *named_nodes;
static GHashTable *engine_threads; /* engine name -> IoThread */

BlockNode *block_node_find(const char *name)
{
    return named_nodes ? g_hash_table_lookup(named_nodes, name) : NULL;
}

bool block_node_register(BlockNode *n, GError **err)
{
    if (!named_nodes) {
        named_nodes = g_hash_table_new(g_str_hash, g_str_equal);
    }
    if (block_node_find(n->node_name) || block_backend_by_name(n->node_name)) {
        emu_set_error(err, "Duplicate node name '%s'", n->node_name);
        return false;
    }
    n->registered = true;
    g_hash_table_insert(named_nodes, n->node_name, block_node_ref(n));
    return true;
}

void block_node_forget_all(void)
{
    GHashTableIter it;
    gpointer node;

    if (!named_nodes) {
        return;
    }
    g_hash_table_iter_init(&it, named_nodes);
    while (g_hash_table_iter_next(&it, NULL, &node)) {
        g_hash_table_iter_steal(&it);
        block_unref_sync(node);
    }
    g_clear_pointer(&named_nodes, g_hash_table_destroy);
}

IoThread *block_thread_for_aio(const char *aio, IoThread *thread, GError **err)
{
    IoEngine engine;
    IoThread *t;

    if (!aio) {
        return thread;
    }
    if (strcmp(aio, "threads") == 0) {
        engine = IO_ENGINE_THREADS;
    } else if (strcmp(aio, "io_uring") == 0) {
        engine = IO_ENGINE_URING;
    } else {
        emu_set_error(err, "aio=%s is not supported; use aio=threads or aio=io_uring", aio);
        return NULL;
    }
    if (io_thread_engine(thread) == engine) {
        return thread;
    }
    if (!engine_threads) {
        engine_threads = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    }
    t = g_hash_table_lookup(engine_threads, aio);
    if (!t) {
        GError *why = NULL;

        t = io_thread_new(aio, engine, &why);
        if (!t) {
            emu_set_error(err, "aio=%s cannot be had: %s", aio, why->message);
            g_error_free(why);
            return NULL;
        }
        g_hash_table_insert(engine_threads, g_strdup(aio), t);
    }
    return t;
}

void block_threads_free(void)
{
    GHashTableIter it;
    gpointer t;

    if (!engine_threads) {
        return;
    }
    g_hash_table_iter_init(&it, engine_threads);
    while (g_hash_table_iter_next(&it, NULL, &t)) {
        io_thread_free(t);
    }
    g_clear_pointer(&engine_threads, g_hash_table_destroy);
}

/* ---- one node ---- */

typedef struct NodeParser {
    KeyVal *kv;
    IoThread *thread;
    GError **err;
} NodeParser;

static const char *get(NodeParser *p, const char *prefix, const char *key)
{
    g_autofree char *full = g_strconcat(prefix, key, NULL);

    return keyval_get(p->kv, full);
}

static bool get_bool(NodeParser *p, const char *prefix, const char *key, bool *out)
{
    g_autofree char *full = g_strconcat(prefix, key, NULL);

    return keyval_get_bool(p->kv, full, out, p->err);
}

static bool get_size(NodeParser *p, const char *prefix, const char *key, uint64_t *out)
{
    g_autofree char *full = g_strconcat(prefix, key, NULL);

    return keyval_get_size(p->kv, full, out, p->err);
}

static bool get_enum(NodeParser *p, const char *prefix, const char *key, const char *const *values,
                     int *out)
{
    g_autofree char *full = g_strconcat(prefix, key, NULL);

    return keyval_get_enum(p->kv, full, values, out, p->err);
}

static const char *const discard_values[] = {"ignore", "off", "unmap", "on", NULL};
static const char *const detect_values[] = {"off", "on", "unmap", NULL};
static const char *const locking_values[] = {"auto", "on", "off", NULL};

/* The keys every node has; ARGS comes with what is inherited. */
static bool parse_generic(NodeParser *p, const char *prefix, BlockOpenArgs *args)
{
    int discard = args->unmap ? 2 : 0, detect = 0;

    if (!get_bool(p, prefix, "read-only", &args->read_only) ||
        !get_bool(p, prefix, "auto-read-only", &args->auto_read_only) ||
        !get_bool(p, prefix, "force-share", &args->force_share) ||
        !get_bool(p, prefix, "cache.direct", &args->direct) ||
        !get_bool(p, prefix, "cache.no-flush", &args->no_flush) ||
        !get_enum(p, prefix, "discard", discard_values, &discard) ||
        !get_enum(p, prefix, "detect-zeroes", detect_values, &detect)) {
        return false;
    }
    if (args->force_share && !args->read_only) {
        emu_set_error(p->err, "force-share=on can only be used with read-only=on");
        return false;
    }
    args->unmap = discard >= 2;
    args->detect_zeroes = (BlockDetectZeroes)detect;
    if (args->detect_zeroes == BLOCK_DETECT_ZEROES_UNMAP && !args->unmap) {
        emu_set_error(p->err, "detect-zeroes=unmap requires discard=unmap");
        return false;
    }
    return true;
}

static bool parse_protocol(NodeParser *p, const char *prefix, BlockOpenArgs *args)
{
    int locking = 0;

    if (strcmp(args->driver, "file") == 0) {
        const char *aio = get(p, prefix, "aio");

        args->filename = get(p, prefix, "filename");
        if (!args->filename || !*args->filename) {
            emu_set_error(p->err, "Parameter '%sfilename' is missing", prefix);
            return false;
        }
        if (!get_enum(p, prefix, "locking", locking_values, &locking)) {
            return false;
        }
        args->locking = (BlockLocking)locking;
        args->thread = block_thread_for_aio(aio, args->thread, p->err);
        return args->thread != NULL;
    }
    return get_size(p, prefix, "size", &args->size) &&
           get_bool(p, prefix, "read-zeroes", &args->read_zeroes) &&
           get_size(p, prefix, "latency-ns", &args->latency_ns);
}

static bool parse_format(NodeParser *p, const char *prefix, BlockOpenArgs *args)
{
    if (strcmp(args->driver, "raw") == 0) {
        args->window = get(p, prefix, "offset") || get(p, prefix, "size");
        return get_size(p, prefix, "offset", &args->offset) &&
               get_size(p, prefix, "size", &args->size);
    }
    if (strcmp(args->driver, "qcow2") == 0 && get(p, prefix, "lazy-refcounts")) {
        bool lazy = false;

        if (!get_bool(p, prefix, "lazy-refcounts", &lazy)) {
            return false;
        }
        args->lazy_refcounts = lazy ? 1 : -1;
    }
    return true;
}

static BlockNode *build_node(NodeParser *p, const char *prefix, const BlockOpenArgs *inherit,
                             bool top);

/*
 * The child CHILD ("file", "backing") of the node at PREFIX: *OUT is NULL when there is none, and
 * *GIVEN says whether the user spoke of it.
 */
static bool build_child(NodeParser *p, const char *prefix, const char *child,
                        const BlockOpenArgs *inherit, BlockNode **out, bool *given)
{
    g_autofree char *sub = g_strconcat(prefix, child, ".", NULL);
    const char *name = get(p, prefix, child);

    *out = NULL;
    *given = true;
    if (name && *name) {
        *out = block_node_find(name);
        if (!*out) {
            emu_set_error(p->err, "Cannot find node '%s' for '%s%s'", name, prefix, child);
            return false;
        }
        if (!(*out)->read_only && (*out)->users > 0) {
            emu_set_error(p->err, "Node '%s' is already in use", name);
            return false;
        }
        block_node_ref(*out);
        return true;
    }
    if (name) {
        return true;
    }
    if (!get(p, sub, "driver")) {
        *given = false;
        return true;
    }
    *out = build_node(p, sub, inherit, false);
    return *out != NULL;
}

static BlockNode *build_format(NodeParser *p, const char *prefix, BlockOpenArgs *args)
{
    BlockOpenArgs below = *args;
    BlockNode *n = NULL;
    bool given;

    below.driver = below.node_name = NULL;
    if (!build_child(p, prefix, "file", &below, &args->file, &given)) {
        return NULL;
    }
    if (!args->file || !args->file->drv->protocol) {
        emu_set_error(p->err, "'%sfile' must name or describe a protocol node (driver=file)",
                      prefix);
        goto out;
    }
    if (args->file->read_only && !args->read_only) {
        if (!args->auto_read_only) {
            emu_set_error(p->err, "Node '%s' is read-only; add read-only=on",
                          args->file->node_name);
            goto out;
        }
        args->read_only = true;
    }
    args->thread = args->file->thread;
    below.read_only = true;
    below.unmap = false;
    below.thread = args->thread;
    if (strcmp(args->driver, "qcow2") == 0) {
        if (!build_child(p, prefix, "backing", &below, &args->backing, &given)) {
            goto out;
        }
        if (args->backing && args->backing->thread != args->thread) {
            emu_set_error(p->err, "'%sbacking' must use the same aio as '%sfile'", prefix, prefix);
            goto out;
        }
        args->no_backing = given && !args->backing;
    }
    n = block_open_sync(args, p->err);
    if (n) {
        args->file->users++;
        if (args->backing) {
            args->backing->users++;
        }
    }
out:
    block_unref_sync(args->backing);
    block_unref_sync(args->file);
    return n;
}

static BlockNode *build_node(NodeParser *p, const char *prefix, const BlockOpenArgs *inherit,
                             bool top)
{
    BlockOpenArgs args = *inherit;
    const BlockDriver *drv;
    BlockNode *n;

    args.driver = get(p, prefix, "driver");
    args.node_name = get(p, prefix, "node-name");
    if (!args.driver) {
        emu_set_error(p->err, "Parameter '%sdriver' is missing", prefix);
        return NULL;
    }
    if (top && (!args.node_name || !*args.node_name)) {
        emu_set_error(p->err, "Parameter 'node-name' is missing");
        return NULL;
    }
    if (args.node_name && block_node_find(args.node_name)) {
        emu_set_error(p->err, "Duplicate node name '%s'", args.node_name);
        return NULL;
    }
    drv = block_driver_find(args.driver);
    if (!drv) {
        g_autofree char *names = block_driver_names();

        emu_set_error(p->err, "Unknown driver '%s'; known are: %s", args.driver, names);
        return NULL;
    }
    if (!parse_generic(p, prefix, &args) ||
        !(drv->protocol ? parse_protocol(p, prefix, &args) : parse_format(p, prefix, &args))) {
        return NULL;
    }
    n = drv->protocol ? block_open_sync(&args, p->err) : build_format(p, prefix, &args);
    if (n && args.node_name && !block_node_register(n, p->err)) {
        block_unref_sync(n);
        return NULL;
    }
    return n;
}

/* ---- JSON ---- */

static bool flatten(KeyVal *kv, const char *prefix, JsonNode *node, GError **err)
{
    if (JSON_NODE_HOLDS_OBJECT(node)) {
        JsonObjectIter it;
        const char *name;
        JsonNode *member;

        json_object_iter_init(&it, json_node_get_object(node));
        while (json_object_iter_next(&it, &name, &member)) {
            g_autofree char *key = *prefix ? g_strconcat(prefix, ".", name, NULL) : g_strdup(name);

            if (!flatten(kv, key, member, err)) {
                return false;
            }
        }
        return true;
    }
    if (JSON_NODE_HOLDS_NULL(node)) {
        keyval_set(kv, prefix, "");
        return true;
    }
    if (JSON_NODE_HOLDS_VALUE(node)) {
        switch (json_node_get_value_type(node)) {
        case G_TYPE_STRING:
            keyval_set(kv, prefix, json_node_get_string(node));
            return true;
        case G_TYPE_BOOLEAN:
            keyval_set(kv, prefix, json_node_get_boolean(node) ? "on" : "off");
            return true;
        case G_TYPE_INT64: {
            g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, json_node_get_int(node));

            keyval_set(kv, prefix, text);
            return true;
        }
        default:
            break;
        }
    }
    emu_set_error(err, "'%s' must be a string, an integer, a boolean or an object", prefix);
    return false;
}

static KeyVal *parse_json(const char *text, GError **err)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    GError *why = NULL;
    JsonNode *root;
    KeyVal *kv;

    if (!json_parser_load_from_data(parser, text, -1, &why)) {
        emu_set_error(err, "not valid JSON: %s", why->message);
        g_error_free(why);
        return NULL;
    }
    root = json_parser_get_root(parser);
    if (!root || !JSON_NODE_HOLDS_OBJECT(root)) {
        emu_set_error(err, "a JSON object is expected");
        return NULL;
    }
    kv = keyval_parse("-blockdev", "", NULL, err);
    if (kv && !flatten(kv, "", root, err)) {
        keyval_free(kv);
        return NULL;
    }
    return kv;
}

bool block_node_add(const char *optarg, IoThread *thread, GError **err)
{
    NodeParser p = {.thread = thread, .err = err};
    BlockOpenArgs inherit;
    BlockNode *n = NULL;
    bool ok;

    p.kv = optarg[strspn(optarg, " \t\n")] == '{'
               ? parse_json(optarg, err)
               : keyval_parse("-blockdev", optarg, "driver", err);
    if (!p.kv) {
        return false;
    }
    block_open_args_init(&inherit, thread);
    n = build_node(&p, "", &inherit, true);
    ok = n && keyval_finish(p.kv, err);
    /* The registry holds it; one that was refused late stays unused until the end. */
    block_unref_sync(n);
    keyval_free(p.kv);
    return ok;
}
