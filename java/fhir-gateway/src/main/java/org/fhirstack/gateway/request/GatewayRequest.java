package org.fhirstack.gateway.request;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.rest.api.RequestTypeEnum;
import ca.uhn.fhir.rest.api.RestOperationTypeEnum;
import com.google.fhir.gateway.interfaces.RequestDetailsReader;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.hl7.fhir.instance.model.api.IIdType;

/**
 * A parsed request. It also answers the Info Gateway's reader interface, from the parsed form.
 *
 * @param method  the HTTP method; HEAD comes as GET
 * @param query   the parameters of the URL
 * @param headers reads a request header, null when absent
 * @param content the body, empty when there is none
 * @param form    the parameters of a form body
 */
public record GatewayRequest(String id, String method, FhirUrl url, Query query, Function<String, String> headers,
        byte[] content, Query form) implements RequestDetailsReader {

    public String header(String name) {
        return headers.apply(name);
    }

    @Override
    public String getRequestId() {
        return id;
    }

    @Override
    public Charset getCharset() {
        return StandardCharsets.UTF_8;
    }

    @Override
    public String getCompleteUrl() {
        return query.isEmpty() ? url.path() : url.path() + "?" + query.encode();
    }

    /** There is none: requests are judged as JSON, and a FHIR context would cost a second at start and 60 MB. */
    @Override
    public FhirContext getFhirContext() {
        throw new UnsupportedOperationException("this gateway has no FHIR context");
    }

    @Override
    public String getFhirServerBase() {
        return "";
    }

    @Override
    public String getHeader(String name) {
        return header(name);
    }

    @Override
    public List<String> getHeaders(String name) {
        String value = header(name);
        return value == null ? List.of() : List.of(value);
    }

    @Override
    public IIdType getId() {
        return null;
    }

    @Override
    public String getOperation() {
        return url.operation();
    }

    @Override
    public Map<String, String[]> getParameters() {
        Map<String, String[]> map = new LinkedHashMap<>();
        for (Query.Param p : query.params()) {
            map.put(p.name(), query.values(p.name()).toArray(new String[0]));
        }
        return map;
    }

    @Override
    public String getRequestPath() {
        return url.path();
    }

    @Override
    public RequestTypeEnum getRequestType() {
        return RequestTypeEnum.valueOf(method);
    }

    @Override
    public String getResourceName() {
        return url.type();
    }

    @Override
    public RestOperationTypeEnum getRestOperationType() {
        return null;
    }

    @Override
    public String getSecondaryOperation() {
        return null;
    }

    @Override
    public boolean isRespondGzip() {
        return false;
    }

    @Override
    public byte[] loadRequestContents() {
        return content;
    }
}
