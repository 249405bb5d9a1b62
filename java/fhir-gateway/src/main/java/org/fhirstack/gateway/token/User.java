package org.fhirstack.gateway.token;

import java.util.Locale;
import java.util.Set;
import org.fhirstack.gateway.Refusal;

/** Who a verified token speaks for. */
public record User(String sub, String appId, Client client, Set<String> roles) {

    /** The two kinds of client that OpenSRP knows; a user is of exactly one. */
    public enum Client {
        ANDROID, WEB
    }

    public static final String ALL_LOCATIONS = "ALL_LOCATIONS";
    public static final String SUPERVISOR = "SUPERVISOR";

    public boolean android() {
        return client == Client.ANDROID;
    }

    public boolean has(String role) {
        return roles.contains(role);
    }

    public boolean may(String method, String type) {
        String upper = type.toUpperCase(Locale.ROOT);
        return roles.contains(method + "_" + upper) || roles.contains("MANAGE_" + upper);
    }

    public void need(String method, String type) {
        if (!may(method, type)) {
            throw Refusal.missingRole(method, type);
        }
    }
}
