#include "accel/kvm/kvm.h"
#include "util/keyval.h"
static bool kvm_init(Accel *a, Machine *m, GError **err)
{
    (void)a, (void)m;
    emu_set_error(err, "KVM support is not built");
    return false;
}
static const Property props[] = {{.type = PROP_END}};
const AccelClass kvm_accel_class = {.name = "kvm", .description = "x", .props = props, .size = sizeof(Accel), .init = kvm_init};
