package org.fhirstack.server.fhir;

import ca.uhn.fhir.interceptor.api.Hook;
import ca.uhn.fhir.interceptor.api.Interceptor;
import ca.uhn.fhir.interceptor.api.Pointcut;
import ca.uhn.fhir.jpa.model.entity.ResourceHistoryTable;
import ca.uhn.fhir.rest.server.exceptions.InvalidRequestException;
import java.util.List;
import org.hl7.fhir.instance.model.api.IBaseCoding;
import org.hl7.fhir.instance.model.api.IBaseResource;
import org.hl7.fhir.r4.model.Meta;

/** Refuses with 400 and the path what HAPI 8.8 would keep cut short, without a word, of {@code meta}. */
@Interceptor
public class MetaLimits {
    /** Of the column that holds versions of codings, {@code TAG_VERSION}. */
    private static final int CODING_VERSION = 30;

    @Hook(Pointcut.STORAGE_PRESTORAGE_RESOURCE_CREATED)
    public void created(IBaseResource resource) {
        check(resource);
    }

    @Hook(Pointcut.STORAGE_PRESTORAGE_RESOURCE_UPDATED)
    public void updated(IBaseResource before, IBaseResource resource) {
        check(resource);
    }

    private static void check(IBaseResource resource) {
        if (resource.getMeta() instanceof Meta meta) {
            codings("meta.tag", meta.getTag());
            codings("meta.security", meta.getSecurity());
            // What follows the # is HAPI's own: the id of the request.
            String source = meta.hasSource() ? meta.getSource().replaceFirst("#.*", "") : "";
            need("meta.source", source, ResourceHistoryTable.SOURCE_URI_LENGTH);
        }
    }

    private static void codings(String path, List<? extends IBaseCoding> codings) {
        for (int i = 0; i < codings.size(); i++) {
            need(path + "[" + i + "].version", codings.get(i).getVersion(), CODING_VERSION);
        }
    }

    private static void need(String path, String text, int most) {
        if (text != null && text.length() > most) {
            throw new InvalidRequestException(
                    path + " has " + text.length() + " characters; at most " + most + " can be stored.");
        }
    }
}
