package org.fhirstack.server.config;

/**
 * One thing in the configuration that cannot be honoured.
 *
 * @param where file and line, or the name of the source; empty when no single place is to blame
 */
record Problem(String where, String key, String message) {

    boolean isAbout(String other) {
        return KeyName.uniform(key).equals(KeyName.uniform(other));
    }

    @Override
    public String toString() {
        return (where.isEmpty() ? "" : where + ": ") + key + ": " + message;
    }
}
