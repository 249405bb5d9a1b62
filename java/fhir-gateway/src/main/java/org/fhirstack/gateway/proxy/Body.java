package org.fhirstack.gateway.proxy;

/** A body in memory; closing it gives its room back. */
final class Body implements AutoCloseable {
    static final Body NONE = new Body("", new BodyReader.Rooms(new Room(0, 0), new Room(0, 0)));
    /** So much of each body is counted apart: small ones come through when large ones take all room. */
    static final int SMALL = 65_536;

    private final String owner;
    private final BodyReader.Rooms rooms;
    private byte[] content = new byte[0];
    private long small;
    private long large;

    Body(String owner, BodyReader.Rooms rooms) {
        this.owner = owner;
        this.rooms = rooms;
    }

    byte[] content() {
        return content;
    }

    void content(byte[] bytes) {
        content = bytes;
    }

    /** Room that was reserved for this body, and room for more of it; see {@link Room#take}. */
    boolean take(int size, Runnable then) {
        boolean isSmall = small + size <= SMALL;
        Room room = isSmall ? rooms.small() : rooms.large();
        if (isSmall) {
            small += size;
        } else {
            large += size;
        }
        boolean taken = false;
        boolean waits = false;
        try {
            taken = room.take(owner, size, then);
            waits = !taken;
        } finally {
            if (!taken && !waits) {
                forget(isSmall, size);
            }
        }
        return taken;
    }

    /** Gives up waiting for room. */
    void cancel(int size, Runnable then) {
        if (rooms.small().cancel(then)) {
            forget(true, size);
        } else if (rooms.large().cancel(then)) {
            forget(false, size);
        }
    }

    private void forget(boolean isSmall, int size) {
        if (isSmall) {
            small -= size;
        } else {
            large -= size;
        }
    }

    @Override
    public void close() {
        rooms.small().release(owner, small);
        rooms.large().release(owner, large);
        small = 0;
        large = 0;
        content = new byte[0];
    }
}
