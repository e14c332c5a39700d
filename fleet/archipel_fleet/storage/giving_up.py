"""Orders to devices whose key is not heeded any more: they end, since nobody could do them. Called inside a transaction by
whoever ends a device (`admitting`) and by the clock (`ordering`), which finds what was ordered in the same instant.
"""

import sqlalchemy as sa

from archipel_fleet.device_records import DeviceState
from archipel_fleet.order_records import CANCELLABLE, OrderState
from archipel_fleet.storage.schema_devices import devices
from archipel_fleet.storage.schema_orders import order_pieces, orders

ENDED = (DeviceState.REVOKED, DeviceState.DECOMMISSIONED)
SAID = {
    DeviceState.REVOKED: "the device was revoked",
    DeviceState.DECOMMISSIONED: "the device was taken out of service",
}
UNSURE = ", and it is not known whether it was done"
_EARLY = tuple(str(one) for one in CANCELLABLE)
_RUNNING = str(OrderState.RUNNING)


def give_up(connection: sa.Connection, now: int, node_id: str = "") -> frozenset[str]:
    """End what is open for devices that were revoked or taken out of service; return the ids of the sites where.

    What has not come back is cancelled; what runs has failed, as its result would not be heeded. `node_id`: of one only.
    """
    of_node = orders.c.node_id == node_id if node_id else sa.true()
    found = connection.execute(
        sa.select(orders.c.order_id, orders.c.site_id, orders.c.state, devices.c.state.label("device"))
        .join(devices, devices.c.node_id == orders.c.node_id)
        .where(of_node, orders.c.state.in_((*_EARLY, _RUNNING)), devices.c.state.in_(ENDED))
    ).fetchall()
    for one in found:
        text = SAID[DeviceState(one.device)]
        over, said = OrderState.CANCELLED, text
        if one.state == _RUNNING:
            over, said = OrderState.FAILED, text + UNSURE
        connection.execute(
            sa.update(orders)
            .where(orders.c.order_id == one.order_id)
            .values(state=str(over), text=said, ended=now)
        )
        connection.execute(sa.delete(order_pieces).where(order_pieces.c.order_id == one.order_id))
    return frozenset(one.site_id for one in found)
