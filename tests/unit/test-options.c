/*
 * The command line: what options leave in the configuration, and what they refuse.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <glib.h>
#include <string.h>

#include "core/device.h"
#include "hw/classes.h"
#include "system/options.h"

/* Parses LINE, words separated by blanks. NULL: refused, with *MESSAGE. */
static VmConfig *parse(const char *line, char **message)
{
    g_autofree char *whole = g_strconcat("emu", *line ? " " : "", line, NULL);
    g_auto(GStrv) words = g_strsplit(whole, " ", -1);
    g_autoptr(GError) err = NULL;
    VmConfig *cfg = vm_config_new();

    if (!options_parse(cfg, g_strv_length(words), words, &err)) {
        g_assert_nonnull(err);
        *message = g_strdup(err->message);
        vm_config_free(cfg);
        return NULL;
    }
    return cfg;
}

static VmConfig *accepted(const char *line)
{
    g_autofree char *message = NULL;
    VmConfig *cfg = parse(line, &message);

    if (!cfg) {
        g_error("'%s' was refused: %s", line, message);
    }
    return cfg;
}

/* One line that starts with the option and holds WORD. */
static void refused(const char *line, const char *word)
{
    g_autofree char *message = NULL;
    VmConfig *cfg = parse(line, &message);
    g_auto(GStrv) words = g_strsplit(line, " ", -1);

    if (cfg) {
        g_error("'%s' was accepted", line);
    }
    if (!g_str_has_prefix(message, words[0]) || !strstr(message, word) || strchr(message, '\n')) {
        g_error("'%s' was refused by: %s", line, message);
    }
}

/* ---- memory ---- */

static void memory_is(const char *line, uint64_t bytes)
{
    VmConfig *cfg = accepted(line);

    g_assert_cmpuint(cfg->ram_size, ==, bytes);
    vm_config_free(cfg);
}

static void test_memory_size_is_mebibytes_unless_a_suffix_says_otherwise(void)
{
    memory_is("", 128ull << 20);
    memory_is("-m 1", 1ull << 20);
    memory_is("-m 512", 512ull << 20);
    memory_is("-m 1G", 1ull << 30);
    memory_is("-m 1.5g", 3ull << 29);
    memory_is("-m size=2048M", 2ull << 30);
    memory_is("-m 1000K", (1000ull << 10) + 8191 - ((1000ull << 10) + 8191) % 8192);
    memory_is("--m 64", 64ull << 20);
    memory_is("-m 64 -m 32", 32ull << 20);
}

static void test_memory_size_must_be_a_positive_size(void)
{
    refused("-m 0", "more than 0");
    refused("-m abc", "'abc'");
    refused("-m 12Q", "'12Q'");
    refused("-m -5", "'-5'");
    refused("-m 1G,slots=2", "slots");
    refused("-m 99999999999999999999", "size");
    refused("-m", "argument");
}

/* ---- CPUs ---- */

static void smp_is(const char *line, unsigned cpus, unsigned sockets, unsigned cores,
                   unsigned threads)
{
    VmConfig *cfg = accepted(line);

    g_assert_cmpuint(cfg->smp.cpus, ==, cpus);
    g_assert_cmpuint(cfg->smp.sockets, ==, sockets);
    g_assert_cmpuint(cfg->smp.cores, ==, cores);
    g_assert_cmpuint(cfg->smp.threads, ==, threads);
    vm_config_free(cfg);
}

static void test_smp_fills_in_what_is_not_given(void)
{
    smp_is("", 1, 1, 1, 1);
    smp_is("-smp 4", 4, 1, 4, 1);
    smp_is("-smp cpus=8,sockets=2", 8, 2, 4, 1);
    smp_is("-smp 8,cores=2", 8, 4, 2, 1);
    smp_is("-smp 8,cores=2,threads=2", 8, 2, 2, 2);
    smp_is("-smp 8,sockets=2,cores=2", 8, 2, 2, 2);
    smp_is("-smp sockets=2,cores=3,threads=2", 12, 2, 3, 2);
    smp_is("-smp 2,maxcpus=2,dies=1", 2, 1, 2, 1);
    smp_is("-smp 255", 255, 1, 255, 1);
}

static void test_smp_refuses_topologies_that_do_not_add_up(void)
{
    refused("-smp 0", "from 1 to 255");
    refused("-smp 256", "from 1 to 255");
    refused("-smp 4,cores=3", "must be the number of CPUs");
    refused("-smp 2,maxcpus=4", "maxcpus");
    refused("-smp sockets=16,cores=16,threads=2", "512");
    refused("-smp 1,cores=0", "cores");
    refused("-smp x", "'x'");
    refused("-smp 2,clusters=2", "clusters");
}

/* ---- machine, accelerator, boot ---- */

static void test_machine_options_are_checked(void)
{
    VmConfig *cfg = accepted("-M pc,accel=kvm:tcg,usb=off,kernel-irqchip=split");

    g_assert_cmpstr(cfg->machine_accel, ==, "kvm:tcg");
    g_assert_cmpstr(cfg->irqchip, ==, "split");
    vm_config_free(cfg);
    vm_config_free(accepted("-machine type=pc-i440fx,hpet=off"));
    refused("-M foo", "'foo' is no machine type");
    refused("-machine pc,usb=on", "usb=on is not implemented");
    refused("-machine pc,foo=1", "foo");
}

static void test_accelerators_are_kept_in_order(void)
{
    VmConfig *cfg = accepted("-accel kvm,fallback=off -accel tcg -enable-kvm");

    g_assert_cmpuint(cfg->accels->len, ==, 3);
    g_assert_cmpstr(((OptArg *)cfg->accels->pdata[0])->arg, ==, "kvm,fallback=off");
    g_assert_cmpstr(((OptArg *)cfg->accels->pdata[1])->arg, ==, "tcg");
    g_assert_cmpstr(((OptArg *)cfg->accels->pdata[2])->arg, ==, "kvm");
    vm_config_free(cfg);
}

static void test_boot_order_names_drives(void)
{
    VmConfig *cfg = accepted("-boot dc");

    g_assert_cmpstr(cfg->boot.order, ==, "dc");
    vm_config_free(cfg);
    cfg = accepted("-boot order=c,once=d,menu=on,strict=on,splash-time=500,reboot-timeout=10");
    g_assert_cmpstr(cfg->boot.order, ==, "c");
    g_assert_cmpstr(cfg->boot.once, ==, "d");
    g_assert_true(cfg->boot.menu && cfg->boot.strict);
    g_assert_cmpint(cfg->boot.splash_time, ==, 500);
    g_assert_cmpint(cfg->boot.reboot_timeout, ==, 10);
    vm_config_free(cfg);
    refused("-boot z", "'z'");
    refused("-boot cc", "twice");
    refused("-boot menu=perhaps", "menu");
    refused("-boot foo=1", "foo");
}

/* ---- disks and devices ---- */

static void drive_is(VmConfig *cfg, guint n, const char *option, const char *arg,
                     const char *defaults)
{
    const OptArg *a = g_ptr_array_index(cfg->drives, n);

    g_assert_cmpstr(a->option, ==, option);
    g_assert_cmpstr(a->arg, ==, arg);
    g_assert_cmpstr(a->defaults, ==, defaults);
}

static void test_drive_letters_are_drives_with_commas_kept(void)
{
    VmConfig *cfg = accepted("-hda a,b.img -cdrom c.iso -drive file=d,if=virtio -fdb f last.img");

    g_assert_cmpuint(cfg->drives->len, ==, 5);
    drive_is(cfg, 0, "-hda", "file=a,,b.img", "index=0,media=disk");
    drive_is(cfg, 1, "-cdrom", "file=c.iso", "index=2,media=cdrom");
    drive_is(cfg, 2, "-drive", "file=d,if=virtio", NULL);
    drive_is(cfg, 3, "-fdb", "file=f", "if=floppy,index=1");
    drive_is(cfg, 4, "-hda", "file=last.img", "index=0,media=disk");
    vm_config_free(cfg);
}

static void test_one_bare_image_only(void)
{
    g_autofree char *message = NULL;

    g_assert_null(parse("a.img b.img", &message));
    g_assert_nonnull(strstr(message, "b.img"));
}

static void test_what_is_not_there_may_be_declined_but_not_asked_for(void)
{
    vm_config_free(accepted("-net none -nic none -parallel none -display none -no-user-config"));
    refused("-parallel stdio", "'stdio'");
    refused("-display sdl", "'sdl'");
    refused("-vga qxl", "'qxl'");
    refused("-usb", "invalid option");
    refused("-sd x", "invalid option");
}

static const char *kept(const GPtrArray *list, guint n)
{
    g_assert_cmpuint(n, <, list->len);
    return ((const OptArg *)g_ptr_array_index(list, n))->arg;
}

static void test_a_nic_is_a_back_end_and_a_card(void)
{
    VmConfig *cfg = accepted("-nic tap,model=virtio,mac=52:54:00:00:00:01,ifname=t,id=x -nic user");

    g_assert_cmpstr(kept(cfg->netdevs, 0), ==, "tap,id=x,ifname=t");
    g_assert_cmpstr(kept(cfg->nics, 0), ==, "virtio-net-pci,mac=52:54:00:00:00:01,netdev=x");
    g_assert_cmpstr(kept(cfg->netdevs, 1), ==, "user,id=#net000");
    g_assert_cmpstr(kept(cfg->nics, 1), ==, "e1000,netdev=#net000");
    vm_config_free(cfg);
    refused("-nic user,model=zzz", "model=help");
}

static void test_without_network_options_there_is_a_card(void)
{
    VmConfig *cfg = accepted("-m 128");

#ifdef CONFIG_SLIRP
    g_assert_cmpuint(cfg->nics->len, ==, 1);
#endif
    vm_config_free(cfg);
    for (const char *const *line = (const char *const[]){"-nic none", "-net none", "-nodefaults",
                                                         "-netdev user,id=u", NULL};
         *line; line++) {
        cfg = accepted(*line);
        g_assert_cmpuint(cfg->nics->len, ==, 0);
        vm_config_free(cfg);
    }
}

static void test_net_options_meet_at_hub_0(void)
{
    VmConfig *cfg = accepted("-net nic,macaddr=52:54:00:00:00:02 -net user,restrict=on");

    g_assert_cmpstr(kept(cfg->netdevs, 0), ==, "hubport,id=#hub0port000,hubid=0");
    g_assert_cmpstr(kept(cfg->nics, 0), ==, "e1000,mac=52:54:00:00:00:02,netdev=#hub0port000");
    g_assert_cmpstr(kept(cfg->netdevs, 1), ==, "user,id=#net001,restrict=on");
    g_assert_cmpstr(kept(cfg->netdevs, 2), ==, "hubport,id=#hub0port002,hubid=0,netdev=#net001");
    vm_config_free(cfg);
    refused("-net nic,colour=red", "colour");
    refused("-object zzz,id=a", "filter-dump");
}

static void test_serial_lines_are_four_at_most(void)
{
    VmConfig *cfg = accepted("-serial null -serial none -serial file:/x,y -serial mon:stdio");

    g_assert_cmpuint(cfg->serials->len, ==, 4);
    g_assert_true(cfg->no_default_serial);
    vm_config_free(cfg);
    refused("-serial null -serial null -serial null -serial null -serial null", "4");
}

/* ---- the rest ---- */

static void test_rtc_base_is_a_word_or_a_date(void)
{
    VmConfig *cfg = accepted("-rtc base=2006-06-17T16:01:21,clock=host");

    g_assert_true(cfg->rtc.has_date);
    g_assert_cmpint(cfg->rtc.date, ==, 1150560081);
    vm_config_free(cfg);
    cfg = accepted("-rtc base=2006-06-17");
    g_assert_cmpint(cfg->rtc.date, ==, 1150502400);
    vm_config_free(cfg);
    cfg = accepted("-rtc base=localtime");
    g_assert_true(cfg->rtc.localtime);
    vm_config_free(cfg);
    refused("-rtc base=yesterday", "yesterday");
    refused("-rtc base=utc,clock=vm", "clock=vm is not implemented");
    refused("-rtc clock=host,foo=1", "foo");
}

static void test_uuid_is_stored_as_bytes(void)
{
    static const uint8_t bytes[16] = {0x55, 0x0e, 0x84, 0x00, 0xe2, 0x9b, 0x41, 0xd4,
                                      0xa7, 0x16, 0x44, 0x66, 0x55, 0x44, 0x00, 0x0f};
    VmConfig *cfg = accepted("-uuid 550e8400-e29b-41d4-a716-44665544000F");

    g_assert_true(cfg->uuid_set);
    g_assert_cmpmem(cfg->uuid, 16, bytes, 16);
    vm_config_free(cfg);
    refused("-uuid 550e8400", "550e8400");
}

static void test_name_sets_guest_and_process(void)
{
    VmConfig *cfg = accepted("-name one,process=two,debug-threads=off");

    g_assert_cmpstr(cfg->name, ==, "one");
    g_assert_cmpstr(cfg->process_name, ==, "two");
    g_assert_false(cfg->thread_names);
    vm_config_free(cfg);
}

static void test_flags_set_their_field_and_no_other(void)
{
    VmConfig *cfg = accepted("-S -snapshot -no-reboot");

    g_assert_true(cfg->start_paused && cfg->snapshot && cfg->no_reboot);
    g_assert_false(cfg->no_shutdown || cfg->nographic || cfg->nodefaults || cfg->daemonize);
    vm_config_free(cfg);
}

static void test_every_option_of_the_table_is_in_help(void)
{
    g_autoptr(GString) text = g_string_new(NULL);

    options_print_help(text);
    for (const OptionDef *def = option_table; def->name; def++) {
        g_autofree char *line = g_strdup_printf("\n-%s%s", def->name, def->arg ? " " : "\n");
        if (def->handle) {
            g_assert_nonnull(def->help);
            g_assert_nonnull(strstr(text->str, line));
        }
    }
}

static void test_every_option_with_an_argument_wants_it(void)
{
    for (const OptionDef *def = option_table; def->name; def++) {
        g_autofree char *option = g_strconcat("-", def->name, NULL);
        if (def->handle && def->arg) {
            refused(option, "requires an argument");
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    device_class_list_set(hw_classes);
    g_test_add_func("/options/memory_size_is_mebibytes_unless_a_suffix_says_otherwise",
                    test_memory_size_is_mebibytes_unless_a_suffix_says_otherwise);
    g_test_add_func("/options/memory_size_must_be_a_positive_size",
                    test_memory_size_must_be_a_positive_size);
    g_test_add_func("/options/smp_fills_in_what_is_not_given", test_smp_fills_in_what_is_not_given);
    g_test_add_func("/options/smp_refuses_topologies_that_do_not_add_up",
                    test_smp_refuses_topologies_that_do_not_add_up);
    g_test_add_func("/options/machine_options_are_checked", test_machine_options_are_checked);
    g_test_add_func("/options/accelerators_are_kept_in_order", test_accelerators_are_kept_in_order);
    g_test_add_func("/options/boot_order_names_drives", test_boot_order_names_drives);
    g_test_add_func("/options/drive_letters_are_drives_with_commas_kept",
                    test_drive_letters_are_drives_with_commas_kept);
    g_test_add_func("/options/one_bare_image_only", test_one_bare_image_only);
    g_test_add_func("/options/what_is_not_there_may_be_declined_but_not_asked_for",
                    test_what_is_not_there_may_be_declined_but_not_asked_for);
    g_test_add_func("/options/a_nic_is_a_back_end_and_a_card", test_a_nic_is_a_back_end_and_a_card);
    g_test_add_func("/options/without_network_options_there_is_a_card",
                    test_without_network_options_there_is_a_card);
    g_test_add_func("/options/net_options_meet_at_hub_0", test_net_options_meet_at_hub_0);
    g_test_add_func("/options/serial_lines_are_four_at_most", test_serial_lines_are_four_at_most);
    g_test_add_func("/options/rtc_base_is_a_word_or_a_date", test_rtc_base_is_a_word_or_a_date);
    g_test_add_func("/options/uuid_is_stored_as_bytes", test_uuid_is_stored_as_bytes);
    g_test_add_func("/options/name_sets_guest_and_process", test_name_sets_guest_and_process);
    g_test_add_func("/options/flags_set_their_field_and_no_other",
                    test_flags_set_their_field_and_no_other);
    g_test_add_func("/options/every_option_of_the_table_is_in_help",
                    test_every_option_of_the_table_is_in_help);
    g_test_add_func("/options/every_option_with_an_argument_wants_it",
                    test_every_option_with_an_argument_wants_it);
    return g_test_run();
}
